"""Kraken's snapshots and deltas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

import pytest
from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS
from dragonfly_venues.events import (
    TRADING,
    BookTop,
    Broken,
    Event,
    FrameError,
    TradingChange,
    Unchanged,
)
from dragonfly_venues.kraken.decoder import KrakenDecoder

RECORDED = Path(__file__).parent / "data" / "kraken_minagbp_depth25.ndjson"
CAPTURE = Path(__file__).parents[4] / "shared" / "captures" / "kraken" / "KRAKEN.ws.50.0"

TextSide = list[tuple[str, str]]

BIDS: TextSide = [("0.1230", "5.00"), ("0.1229", "1.50")]
ASKS: TextSide = [("0.1231", "2.00"), ("0.1240", "9.00")]
STAMP_US = 1727950272123456
STAMP = "2024-10-03T10:11:12.123456Z"


def checksum(bids: TextSide, asks: TextSide) -> int:
    text = "".join(
        number.replace(".", "").lstrip("0")
        for level in (*asks[:10], *bids[:10])
        for number in level
    )
    return crc32(text.encode())


def message(
    kind: str,
    bids: TextSide,
    asks: TextSide,
    crc: int | str,
    stamp: str | None = STAMP,
    symbol: str = "ALGO/USD",
) -> bytes:
    texts = [",".join(f'{{"price":{p},"qty":{q}}}' for p, q in side) for side in (bids, asks)]
    time = f',"timestamp":"{stamp}"' if stamp else ""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}",'
        f'"bids":[{texts[0]}],"asks":[{texts[1]}],"checksum":{crc}{time}}}]}}'
    ).encode()


def snapshot(symbol: str = "ALGO/USD", stamp: str | None = STAMP) -> bytes:
    return message("snapshot", BIDS, ASKS, checksum(BIDS, ASKS), stamp, symbol)


def one(events: Sequence[Event]) -> Event:
    (event,) = events
    return event


@pytest.fixture
def decoder() -> KrakenDecoder:
    ready = KrakenDecoder(10)
    assert isinstance(one(ready.decode(snapshot())), BookTop)
    return ready


def test_a_snapshot_is_a_top_with_its_time() -> None:
    assert one(KrakenDecoder(1).decode(snapshot())) == BookTop(
        "ALGO/USD", STAMP_US, STAMP_US * 1000, ((0.123, 5.0),), ((0.1231, 2.0),)
    )


def test_without_a_stamp_the_sequence_stays() -> None:
    decoder = KrakenDecoder(10)
    first = one(decoder.decode(snapshot(stamp=None)))
    assert isinstance(first, BookTop)
    assert (first.venue_seq, first.ts_event) == (0, None)
    decoder.decode(snapshot())
    bids = [("0.1230", "6.00"), BIDS[1]]
    top = one(decoder.decode(message("update", bids[:1], [], checksum(bids, ASKS), stamp=None)))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.ts_event) == (STAMP_US, None)


def test_a_late_change_that_restores_an_older_book_is_seen_by_its_time() -> None:
    decoder = KrakenDecoder(10)
    decoder.decode(snapshot())
    newer = [("0.1230", "6.00"), BIDS[1]]
    later = "2024-10-03T10:11:13.000000Z"
    assert isinstance(
        one(decoder.decode(message("update", newer[:1], [], checksum(newer, ASKS), later))), BookTop
    )
    event = one(decoder.decode(message("update", BIDS[:1], [], checksum(BIDS, ASKS))))
    assert isinstance(event, Broken)
    assert event.cause == "reset"
    assert one(decoder.decode(message("update", BIDS[:1], [], checksum(BIDS, ASKS)))) == Unchanged(
        "ALGO/USD"
    )


def test_the_time_of_no_market_is_no_time(decoder: KrakenDecoder) -> None:
    bids = [("0.1230", "6.00"), BIDS[1]]
    zero = "1970-01-01T00:00:00Z"
    top = one(decoder.decode(message("update", bids[:1], [], checksum(bids, ASKS), zero)))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.ts_event) == (STAMP_US, None)


def test_only_what_is_published_counts_as_a_change() -> None:
    decoder = KrakenDecoder(1)
    decoder.decode(snapshot())
    deeper = [BIDS[0], ("0.1229", "7.00")]
    event = one(decoder.decode(message("update", deeper[1:], [], checksum(deeper, ASKS))))
    assert event == Unchanged("ALGO/USD")
    best = [("0.1230", "6.00"), deeper[1]]
    event = one(decoder.decode(message("update", best[:1], [], checksum(best, ASKS))))
    assert isinstance(event, BookTop)
    assert event.bids == ((0.123, 6.0),)


def test_a_repeated_update_is_harmless(decoder: KrakenDecoder) -> None:
    bids = [("0.1230", "6.00"), BIDS[1]]
    update = message("update", bids[:1], [], checksum(bids, ASKS))
    assert isinstance(one(decoder.decode(update)), BookTop)
    assert one(decoder.decode(update)) == Unchanged("ALGO/USD")


def test_a_wrong_checksum_breaks_that_symbol_alone(decoder: KrakenDecoder) -> None:
    decoder.decode(snapshot("BTC/USD"))
    bids = [("0.1230", "6.00"), BIDS[1]]
    good = checksum(bids, ASKS)
    broken = one(decoder.decode(message("update", bids[:1], [], good ^ 1)))
    assert isinstance(broken, Broken)
    assert (broken.symbol, broken.cause) == ("ALGO/USD", "checksum")
    assert one(decoder.decode(message("update", bids[:1], [], good))) == Unchanged("ALGO/USD")
    update = message("update", bids[:1], [], good, symbol="BTC/USD")
    assert isinstance(one(decoder.decode(update)), BookTop)


def test_a_swallowed_update_is_found_out(decoder: KrakenDecoder) -> None:
    bids = [("0.1230", "6.00"), ("0.1229", "7.00")]
    broken = one(decoder.decode(message("update", bids[1:], [], checksum(bids, ASKS))))
    assert isinstance(broken, Broken)
    assert broken.cause == "checksum"


def test_resubscribing_heals_and_what_was_in_flight_is_ignored(decoder: KrakenDecoder) -> None:
    update = message("update", BIDS[:1], [], 1)
    assert isinstance(one(decoder.decode(update)), Broken)
    decoder.forget("ALGO/USD")
    assert one(decoder.decode(update)) == Unchanged("ALGO/USD")
    assert isinstance(one(decoder.decode(snapshot())), BookTop)


def test_a_bad_snapshot_is_broken_too() -> None:
    broken = one(KrakenDecoder(10).decode(message("snapshot", BIDS, ASKS, 1)))
    assert isinstance(broken, Broken)
    assert broken.cause == "checksum"


def test_an_update_before_any_snapshot_is_told_once() -> None:
    decoder = KrakenDecoder(10)
    update = message("update", BIDS, ASKS, checksum(BIDS, ASKS))
    broken = one(decoder.decode(update))
    assert isinstance(broken, Broken)
    assert broken.cause == "no_snapshot"
    assert one(decoder.decode(update)) == Unchanged("ALGO/USD")
    assert isinstance(one(decoder.decode(snapshot())), BookTop)


@pytest.mark.parametrize("price", ["-1", '"0.1"', "null", "0.0", "1e300"])
def test_a_change_that_cannot_be_read_breaks_the_book(decoder: KrakenDecoder, price: str) -> None:
    broken = one(decoder.decode(message("update", [(price, "1.00")], [], 1)))
    assert isinstance(broken, Broken)
    assert (broken.symbol, broken.cause) == ("ALGO/USD", "malformed")


@pytest.mark.parametrize(
    "frame",
    [
        b'{"channel":"book","type":"update","data":[{"bids":[]}]}',
        b'{"channel":"book","type":"update","data":{}}',
        b'{"channel":"book","type":"replace","data":[]}',
        b'{"channel":"book"}',
        message("update", [], [], -1, stamp="yesterday"),
        message("update", [], [], 1, stamp="2024-10-03T10:11:12"),
        message("update", [], [], "1.5"),
        message("update", [], [], 1, symbol=""),
    ],
)
def test_other_shapes_are_refused_and_the_book_stays(decoder: KrakenDecoder, frame: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == "bad_shape"
    assert one(decoder.decode(snapshot())) != Unchanged("")


def test_an_unreadable_frame_drops_the_books_whose_depth_no_checksum_covers() -> None:
    for depth, cause in ((10, None), (11, "no_snapshot")):
        decoder = KrakenDecoder(depth)
        decoder.decode(snapshot())
        with pytest.raises(FrameError):
            decoder.decode(b'{"channel":"book","type":"upd')
        event = one(decoder.decode(message("update", [], [], checksum(BIDS, ASKS))))
        assert getattr(event, "cause", None) == cause


def test_key_order_and_white_space_do_not_matter() -> None:
    frame = json.dumps(
        {
            "data": [
                {
                    "timestamp": STAMP,
                    "checksum": crc32(b"2515"),
                    "asks": [{"qty": 5, "price": 2}],
                    "bids": [{"qty": 5, "price": 1}],
                    "symbol": "X/Y",
                }
            ],
            "type": "snapshot",
            "channel": "book",
        },
        indent=1,
    )
    top = one(KrakenDecoder(10).decode(frame.encode()))
    assert top == BookTop("X/Y", STAMP_US, STAMP_US * 1000, ((1.0, 5.0),), ((2.0, 5.0),))


def test_a_frame_may_speak_of_several_symbols() -> None:
    both = json.loads(snapshot("A/B"), parse_float=str)["data"][0]["checksum"]
    part = snapshot("A/B").split(b'"data":[')[1].removesuffix(b"]}")
    other = part.replace(b"A/B", b"C/D").replace(str(both).encode(), b"7")
    frame = b'{"channel":"book","type":"snapshot","data":[%s,%s]}' % (part, other)
    top, broken = KrakenDecoder(10).decode(frame)
    assert isinstance(top, BookTop)
    assert isinstance(broken, Broken)
    assert (top.symbol, broken.symbol) == ("A/B", "C/D")


def test_nonsense_names_do_not_fill_the_memory() -> None:
    decoder = KrakenDecoder(10)
    for number in range(MAX_SYMBOLS + 5):
        decoder.decode(message("update", [], [], 0, symbol=f"N{number}/X"))
    assert len(decoder._feeds) == MAX_SYMBOLS


def test_every_recorded_checksum_holds() -> None:
    decoder = KrakenDecoder(20)
    events = [
        event for line in RECORDED.read_bytes().splitlines() for event in decoder.decode(line)
    ]
    assert not [event for event in events if isinstance(event, Broken)]
    tops = [event for event in events if isinstance(event, BookTop | Unchanged)]
    assert len(tops) == 13
    assert events[0] == TradingChange(None, TRADING)


@pytest.mark.needs(CAPTURE)
def test_every_checksum_recorded_on_the_old_socket_holds() -> None:
    """The old socket's messages, rewritten as this one's: the same rule over the same text."""
    decoder = KrakenDecoder(10)
    decoder._channel_depth = 1000
    checked = 0
    for frame in rewritten(CAPTURE):
        event = one(decoder.decode(frame))
        assert not isinstance(event, Broken), event
        checked += b'"type":"update"' in frame
    assert checked == 4269


def rewritten(path: Path) -> Iterator[bytes]:
    """Yield the recorded books as frames of the new socket; snapshots had no checksum then."""
    for line in path.read_text().splitlines():
        text = line.partition(": ")[2]
        if not text.startswith("["):
            continue
        _, *parts, channel, pair = json.loads(text)
        if not channel.startswith("book"):
            continue
        sides: dict[str, TextSide] = {"b": [], "a": []}
        crc: str | None = None
        for part in parts:
            for key, levels in part.items():
                if key == "c":
                    crc = levels
                else:
                    sides[key[0]] += [(level[0], level[1]) for level in levels]
        kind = "snapshot" if crc is None else "update"
        yield message(
            kind, sides["b"], sides["a"], crc or checksum(sides["b"], sides["a"]), None, pair
        )
