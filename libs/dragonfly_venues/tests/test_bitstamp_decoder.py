"""Bitstamp's books."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dragonfly_venues.bitstamp.decoder import BitstampDecoder
from dragonfly_venues.events import BookTop, Event, FrameError, Unchanged
from hypothesis import given
from hypothesis import strategies as st

CAPTURES = Path(__file__).parents[4] / "shared" / "captures" / "bitstamp"
STAMP = 1643673600123456
BIDS = [["38500.00", "0.12000000"], ["38499.00", "1.00000000"]]
ASKS = [["38501.00", "0.50000000"]]


def book(
    stamp: int = STAMP, bids: list[list[str]] = BIDS, asks: list[list[str]] = ASKS
) -> dict[str, Any]:
    return {
        "data": {
            "timestamp": str(stamp // 1_000_000),
            "microtimestamp": str(stamp),
            "bids": bids,
            "asks": asks,
        },
        "channel": "order_book_btcusd",
        "event": "data",
    }


def compact(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def one(events: Sequence[Event]) -> Event:
    (event,) = events
    return event


def test_a_book_from_rest_is_joined_by_its_sequence() -> None:
    decoder = BitstampDecoder(10)
    seed = BookTop("btcusd", STAMP, None, ((1.0, 1.0),), ((2.0, 1.0),))
    assert one(decoder.seed(seed)) == seed
    assert decoder.seeded("btcusd")
    assert decoder.seq("btcusd") == STAMP
    assert one(decoder.decode(compact(book(STAMP - 1)))) == Unchanged("btcusd")
    assert decoder.seeded("btcusd")
    # Of frames that come together only the newest is read, so it has to be known by then.
    assert decoder.whole_book(compact(book(STAMP + 1))) is not None
    assert isinstance(one(decoder.decode(compact(book(STAMP + 1)))), BookTop)
    assert not decoder.seeded("btcusd")


def test_a_book_becomes_a_top_with_its_time() -> None:
    assert one(BitstampDecoder(10).decode(compact(book()))) == BookTop(
        "btcusd", STAMP, STAMP * 1000, ((38500.0, 0.12), (38499.0, 1.0)), ((38501.0, 0.5),)
    )


def test_levels_without_a_price_or_an_amount_are_left_out() -> None:
    bids = [BIDS[0], ["38499.50", "0"], BIDS[1], ["0.00", "5.0"], ["-1.00", "2.0"]]
    top = one(BitstampDecoder(10).decode(compact(book(bids=bids))))
    assert isinstance(top, BookTop)
    assert top.bids == ((38500.0, 0.12), (38499.0, 1.0))


def test_only_what_is_published_counts_as_a_change() -> None:
    decoder = BitstampDecoder(1)
    decoder.decode(compact(book()))
    assert one(decoder.decode(compact(book(STAMP + 1, BIDS[:1])))) == Unchanged("btcusd")
    top = one(decoder.decode(compact(book(STAMP + 2, BIDS[1:]))))
    assert isinstance(top, BookTop)
    assert top.venue_seq == STAMP + 2


def test_frames_out_of_order_are_refused_and_repeated_ones_harmless() -> None:
    decoder = BitstampDecoder(10)
    decoder.decode(compact(book()))
    assert one(decoder.decode(compact(book()))) == Unchanged("btcusd")
    with pytest.raises(FrameError) as caught:
        decoder.decode(compact(book(STAMP - 1, BIDS[1:])))
    assert (caught.value.reason, caught.value.symbol) == ("out_of_order", "btcusd")
    decoder.forget("btcusd")
    assert isinstance(one(decoder.decode(compact(book(STAMP - 1)))), BookTop)


def test_a_crossed_book_is_passed_on() -> None:
    assert isinstance(one(BitstampDecoder(10).decode(compact(book(asks=BIDS[1:])))), BookTop)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"38499.00"', '"38500.00"', "unsorted"),
        ('"0.12000000"', '"-1"', "bad_level"),
        ('"0.12000000"', '"nan"', "bad_level"),
        ('"38500.00"', '"inf"', "bad_level"),
        ('"0.12000000"', '"much"', "bad_shape"),
        ("order_book_btcusd", "diff_order_book_btcusd", "unknown_channel"),
        ('"event":"data"', '"event":"trade"', "unknown_channel"),
        (str(STAMP), "9" * 17, "bad_sequence"),
        (str(STAMP), "9" * 30, "bad_sequence"),
        (f'"{STAMP}"', '"now"', "bad_shape"),
        ('"data"}', '"data"', "not_json"),
    ],
)
def test_bad_frames_are_refused_and_the_next_good_one_works(
    old: str, new: str, reason: str
) -> None:
    decoder = BitstampDecoder(10)
    decoder.decode(compact(book()))
    frame = compact(book(STAMP + 1)).decode()
    # The stamp in the text is one later; cut the last digit so that both forms match.
    bad = frame.replace(str(STAMP + 1), str(STAMP)).replace(old, new, 1)
    assert bad != frame
    with pytest.raises(FrameError) as caught:
        decoder.decode(bad.encode())
    assert caught.value.reason == reason
    assert isinstance(one(decoder.decode(compact(book(STAMP + 2, BIDS[:1])))), BookTop)


@given(st.data())
def test_key_order_and_white_space_do_not_matter(data: st.DataObject) -> None:
    """The same run of books, laid out at random: bytes and full decode take turns."""
    decoder, plain = BitstampDecoder(3), BitstampDecoder(3)
    prices = st.lists(st.integers(1, 20), max_size=6, unique=True)
    for step in range(6):
        bids = [[f"1.{tick:02}", f"{step // 3}.5"] for tick in sorted(data.draw(prices))[::-1]]
        asks = [[f"2.{tick:02}", "0.25"] for tick in sorted(data.draw(prices))]
        message = book(STAMP + step, bids, asks)
        inner = dict(data.draw(st.permutations(list(message["data"].items()))))
        outer = dict(data.draw(st.permutations(list((message | {"data": inner}).items()))))
        spaces = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : "), (",", ": ")]))
        indent = data.draw(st.sampled_from([None, None, 1]))
        laid_out = json.dumps(outer, separators=spaces, indent=indent).encode()
        assert one(decoder.decode(laid_out)) == one(plain.decode(compact(message)))


def test_a_whole_book_is_told_where_one_is_known_and_nothing_is_in_doubt() -> None:
    decoder = BitstampDecoder(10)
    frame = compact(book())
    assert decoder.whole_book(frame) is None
    decoder.decode(frame)
    known = decoder.whole_book(frame)
    assert known is not None
    assert (known.symbol, known.seq) == ("btcusd", STAMP)
    assert decoder.decode(frame, known) == decoder.decode(frame)
    for other in (
        b'{"event":"bts:subscription_succeeded","channel":"order_book_btcusd","data":{}}',
        frame.replace(b'"data"}', b'"bts:error"}'),
        b'{"result":null,"id":1}',
        frame[:-2],
        json.dumps(book()).encode(),
        frame.replace(b'"bids"', b'"b\\u0069ds"'),
        b"",
    ):
        assert decoder.whole_book(other) is None
    decoder.forget("btcusd")
    assert decoder.whole_book(frame) is None


@pytest.mark.needs(CAPTURES)
def test_recorded_books_are_read_as_a_json_decoder_reads_them() -> None:
    """REST books of ten pairs have the frame's shape, thousands of levels, and white space."""
    decoder = BitstampDecoder(10)
    books = 0
    for line in (CAPTURES / "BITSTAMP.http.0.0").read_text().splitlines():
        url, arrow, text = line.partition(" -> ")
        if not arrow:
            continue
        data = json.loads(text.partition(": ")[2])
        books += 1
        channel = f"order_book_{url.rstrip('/').rpartition('/')[2]}"
        message = {"data": data, "channel": channel, "event": "data"}
        top = one(decoder.decode(compact(message)))
        assert isinstance(top, BookTop)
        for side, levels in ((top.bids, data["bids"]), (top.asks, data["asks"])):
            assert side == tuple((float(price), float(amount)) for price, amount in levels[:10])
        assert one(decoder.decode(json.dumps(message).encode())) == Unchanged(top.symbol)
    assert books == 10
