"""Binance's partial books."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dragonfly_venues.binance.decoder import BinanceDecoder
from dragonfly_venues.events import Bbo, BookTop, Event, FrameError, Unchanged
from hypothesis import given
from hypothesis import strategies as st

CAPTURES = Path(__file__).parents[4] / "shared" / "captures" / "binance"
BIDS = [["0.07000000", "1.5"], ["0.06990000", "2"]]
ASKS = [["0.07010000", "1"], ["0.07020000", "3"]]


def book(seq: int, bids: list[list[str]] = BIDS, asks: list[list[str]] = ASKS) -> dict[str, Any]:
    data = {"lastUpdateId": seq, "bids": bids, "asks": asks}
    return {"stream": "ethbtc@depth20@100ms", "data": data}


def compact(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def one(events: Sequence[Event]) -> Event:
    (event,) = events
    return event


def test_a_book_from_rest_is_joined_by_its_sequence() -> None:
    decoder = BinanceDecoder(10)
    seed = BookTop("ethbtc", 160, None, ((1.0, 1.0),), ((2.0, 1.0),))
    assert one(decoder.seed(seed)) == seed
    assert decoder.seeded("ethbtc")
    assert decoder.seq("ethbtc") == 160
    assert one(decoder.decode(compact(book(160 - 1)))) == Unchanged("ethbtc")
    assert decoder.seeded("ethbtc")
    # Of frames that come together only the newest is read, so it has to be known by then.
    assert decoder.whole_book(compact(book(160 + 1))) is not None
    assert isinstance(one(decoder.decode(compact(book(160 + 1)))), BookTop)
    assert not decoder.seeded("ethbtc")


def test_a_book_becomes_a_top_without_a_time() -> None:
    top = one(BinanceDecoder(10).decode(compact(book(160))))
    assert top == BookTop(
        "ethbtc", 160, None, ((0.07, 1.5), (0.0699, 2.0)), ((0.0701, 1.0), (0.0702, 3.0))
    )


def test_symbols_of_one_connection_do_not_mix() -> None:
    decoder = BinanceDecoder(10)
    for symbol in ("ethbtc", "btcusdt", "币安人生usdt"):
        message = book(160) | {"stream": f"{symbol}@depth20@100ms"}
        top = one(decoder.decode(compact(message)))
        assert isinstance(top, BookTop)
        assert top.symbol == symbol
        assert one(decoder.decode(compact(message))) == Unchanged(symbol)
        escaped = json.dumps(message).encode()
        assert one(decoder.decode(escaped)) == Unchanged(symbol)


def test_forgetting_begins_a_symbol_anew() -> None:
    decoder = BinanceDecoder(10)
    decoder.decode(compact(book(160)))
    decoder.forget("ethbtc")
    assert isinstance(one(decoder.decode(compact(book(7)))), BookTop)


@pytest.mark.parametrize(
    "stream", ["ethbtc@depth", "ethbtc@depth5@100ms", "@depth20@100ms", "ethbtc"]
)
def test_other_streams_are_refused(stream: str) -> None:
    with pytest.raises(FrameError) as caught:
        BinanceDecoder(10).decode(compact(book(160) | {"stream": stream}))
    assert caught.value.reason == "unknown_channel"


@pytest.mark.parametrize("seq", ["-1", str(2**63), "9" * 5000, "1.5", '"x"', "null", "[1]"])
def test_ids_that_cannot_be_are_refused(seq: str) -> None:
    frame = compact(book(160)).replace(b":160,", f":{seq},".encode())
    with pytest.raises(FrameError) as caught:
        BinanceDecoder(10).decode(frame)
    assert caught.value.reason in {"bad_sequence", "bad_shape", "not_json"}


def test_levels_below_depth_are_not_even_parsed() -> None:
    nonsense = [*BIDS, ["not a price", "1"]]
    top = one(BinanceDecoder(2).decode(compact(book(160, bids=nonsense))))
    assert isinstance(top, BookTop)
    assert len(top.bids) == 2


def test_an_escaped_key_is_no_key() -> None:
    message = {'x"bids': [["9", "9"]], **book(160)}
    top = one(BinanceDecoder(10).decode(compact(message)))
    assert isinstance(top, BookTop)
    assert top.bids[0] == (0.07, 1.5)


@given(st.data())
def test_key_order_and_white_space_do_not_matter(data: st.DataObject) -> None:
    """The same run of books, laid out at random: bytes and full decode take turns."""
    decoder, plain = BinanceDecoder(3), BinanceDecoder(3)
    prices = st.lists(st.integers(1, 20), max_size=6, unique=True)
    for seq in range(1, 7):
        bids = [[f"1.{tick:02}", f"{seq // 3}.5"] for tick in sorted(data.draw(prices))[::-1]]
        asks = [[f"2.{tick:02}", "0.25"] for tick in sorted(data.draw(prices))]
        message = book(seq, bids, asks)
        inner = dict(data.draw(st.permutations(list(message["data"].items()))))
        outer = dict(data.draw(st.permutations([("stream", message["stream"]), ("data", inner)])))
        spaces = data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : "), (",", ": ")]))
        indent = data.draw(st.sampled_from([None, None, 1]))
        laid_out = json.dumps(outer, separators=spaces, indent=indent).encode()
        assert one(decoder.decode(laid_out)) == one(plain.decode(compact(message)))


def test_a_whole_book_is_told_where_one_is_known_and_nothing_is_in_doubt() -> None:
    decoder = BinanceDecoder(10)
    frame = compact(book(160))
    assert decoder.whole_book(frame) is None
    decoder.decode(frame)
    known = decoder.whole_book(frame)
    assert known is not None
    assert (known.symbol, known.seq) == ("ethbtc", 160)
    assert decoder.decode(frame, known) == decoder.decode(frame)
    for other in (
        b'{"stream":"ethbtc@bookTicker","data":{"u":1,"s":"E","b":"1","B":"1","a":"2","A":"1"}}',
        b'{"stream":"ethbtc@depth20@100ms","data":{"e":"serverShutdown"}}',
        b'{"code":"ethbtc@depth20@100ms"}',
        b'{"result":null,"id":1}',
        frame[:-2],
        json.dumps(book(160)).encode(),
        frame.replace(b'"bids"', b'"b\\u0069ds"'),
        b"",
    ):
        assert decoder.whole_book(other) is None
    decoder.forget("ethbtc")
    assert decoder.whole_book(frame) is None


@pytest.mark.needs(CAPTURES)
def test_recorded_books_are_read_as_a_json_decoder_reads_them() -> None:
    """REST books of four pairs have the stream's shape, and a thousand levels."""
    decoder = BinanceDecoder(10)
    books = 0
    for line in (CAPTURES / "BINANCE.http.0.0").read_text().splitlines():
        _, arrow, text = line.partition(" -> ")
        if not arrow:
            continue
        data = json.loads(text.partition(": ")[2])
        books += 1
        message = {"stream": f"pair{books}@depth20@100ms", "data": data}
        top = one(decoder.decode(compact(message)))
        assert isinstance(top, BookTop)
        for side, levels in ((top.bids, data["bids"]), (top.asks, data["asks"])):
            assert side == tuple((float(price), float(amount)) for price, amount in levels[:10])
        assert one(decoder.decode(json.dumps(message).encode())) == Unchanged(top.symbol)
    assert books == 4


def best(**changed: object) -> dict[str, Any]:
    data = {"u": 160, "s": "ETHBTC", "b": "0.07", "B": "1.5", "a": "0.0701", "A": "1"}
    return {"stream": "ethbtc@bookTicker", "data": data | changed}


def test_best_prices_are_counted_like_books() -> None:
    said = one(BinanceDecoder(10).decode(compact(best())))
    assert said == Bbo("ethbtc", 160, (0.07, 1.5), (0.0701, 1.0))


def test_a_side_without_a_price_is_empty() -> None:
    said = one(BinanceDecoder(10).decode(compact(best(b="0.00000000", B="0.00000000"))))
    assert said == Bbo("ethbtc", 160, None, (0.0701, 1.0))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (best(b="nan"), "bad_level"),
        (best(B="-1"), "bad_level"),
        (best(u=-1), "bad_shape"),
        (best(u=2**63), "bad_shape"),
        (best(a="x"), "bad_shape"),
        (best() | {"stream": "ethbtc@depth@bookTicker"}, "unknown_channel"),
    ],
    ids=["nan", "negative", "before", "beyond", "word", "stream"],
)
def test_best_prices_that_mean_nothing_are_refused(message: object, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        BinanceDecoder(10).decode(compact(message))
    assert refused.value.reason == reason


def test_the_sequence_is_that_of_the_last_frame_also_of_one_that_changed_nothing() -> None:
    decoder = BinanceDecoder(10)
    assert decoder.seq("ethbtc") == -1
    for seq in (160, 170):
        decoder.decode(compact(book(seq)))
        assert decoder.seq("ethbtc") == seq
    decoder.forget("ethbtc")
    assert decoder.seq("ethbtc") == -1
