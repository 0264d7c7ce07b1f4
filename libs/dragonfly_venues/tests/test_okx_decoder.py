"""OKX's frames: chains of changes, bare texts, and a capture of the venue."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Broken,
    Closing,
    FrameError,
    Heard,
    RequestRefused,
    Unchanged,
)
from dragonfly_venues.okx.decoder import OkxDecoder


def push(
    action: str,
    previous: int,
    seq: int,
    bids: list[tuple[str, str]] | None = None,
    asks: list[tuple[str, str]] | None = None,
    symbol: str = "BTC-USDT",
) -> bytes:
    data = {
        "asks": [[price, amount, "0", "1"] for price, amount in asks or []],
        "bids": [[price, amount, "0", "1"] for price, amount in bids or []],
        "ts": "1597026383085",
        "checksum": 0,
        "prevSeqId": previous,
        "seqId": seq,
    }
    frame = {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [data]}
    return json.dumps(frame, separators=(",", ":")).encode()


SNAPSHOT = push("snapshot", -1, 100, [("9", "1"), ("8", "2")], [("10", "1")])


def test_a_snapshot_and_a_chain_of_changes_make_the_book() -> None:
    decoder = OkxDecoder(2)
    [first] = decoder.decode(SNAPSHOT)
    assert first == BookTop(
        "BTC-USDT", 100, 1597026383085000000, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),)
    )
    [second] = decoder.decode(push("update", 100, 107, [("9", "0"), ("8.5", "3")]))
    assert isinstance(second, BookTop)
    assert second.bids == ((8.5, 3.0), (8.0, 2.0))
    assert decoder.seq("BTC-USDT") == second.venue_seq == 107


def test_an_empty_update_says_that_the_book_rests() -> None:
    decoder = OkxDecoder(2)
    decoder.decode(SNAPSHOT)
    assert decoder.decode(push("update", 100, 100)) == (Unchanged("BTC-USDT"),)


def test_a_smaller_number_whose_link_holds_continues_the_book() -> None:
    decoder = OkxDecoder(2)
    decoder.decode(SNAPSHOT)
    [event] = decoder.decode(push("update", 100, 3, [("9", "5")]))
    assert isinstance(event, BookTop)
    assert decoder.decode(push("update", 3, 5)) == (Unchanged("BTC-USDT"),)


@pytest.mark.parametrize("previous", [99, 101, -1])
def test_a_missing_link_breaks_the_book_until_the_next_snapshot(previous: int) -> None:
    decoder = OkxDecoder(2)
    decoder.decode(SNAPSHOT)
    [event] = decoder.decode(push("update", previous, 120, [("9", "5")]))
    assert isinstance(event, Broken)
    assert (event.symbol, event.cause) == ("BTC-USDT", "gap")
    assert decoder.decode(push("update", 120, 121)) == (Unchanged("BTC-USDT"),)
    [again] = decoder.decode(SNAPSHOT)
    assert isinstance(again, BookTop)


def test_a_change_before_any_snapshot_says_nothing() -> None:
    assert OkxDecoder(2).decode(push("update", 1, 2)) == (Unchanged("BTC-USDT"),)


def test_what_was_forgotten_waits_for_a_snapshot() -> None:
    decoder = OkxDecoder(2)
    decoder.decode(SNAPSHOT)
    decoder.forget("BTC-USDT")
    assert decoder.decode(push("update", 100, 101, [("9", "5")])) == (Unchanged("BTC-USDT"),)
    assert decoder.seq("BTC-USDT") == -1


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (push("update", 1, 2, [("-9", "1")]), "bad_shape"),
        (push("update", 1, 2, [("9", "-1")]), "bad_shape"),
        (push("update", 1, -2), "bad_shape"),
        (push("reset", 1, 2), "bad_shape"),
        (SNAPSHOT[:-9], "not_json"),
        (b'{"event":"login"}', "unknown_channel"),
        (b"pang", "not_json"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = OkxDecoder(2)
    decoder.decode(SNAPSHOT)
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.decode(push("update", 100, 100)) == (Unchanged("BTC-USDT"),)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(FrameError):
        OkxDecoder(2).decode(push("snapshot", -1, 1, [("NaN", "1")]))
    with pytest.raises(FrameError):
        OkxDecoder(2).decode(push("snapshot", -1, 1, [("1", "Infinity")]))


def test_answers() -> None:
    decoder = OkxDecoder(2)
    arg = '"arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"'
    acked = decoder.decode(f'{{"id":"7","event":"subscribe",{arg}}}'.encode())
    assert acked == (Acked(7, ("BTC-USDT",)),)
    left = decoder.decode(f'{{"event":"unsubscribe",{arg}}}'.encode())
    assert left == (Acked(None, ("BTC-USDT",), subscribed=False),)
    [refused] = decoder.decode(b'{"id":"7","event":"error","code":"60018","msg":"doesn\'t exist"}')
    assert refused == RequestRefused(7, (), "doesn't exist (code 60018)")
    notice = decoder.decode(b'{"event":"notice","code":"64008","msg":"service upgrade"}')
    assert notice == (Closing("service upgrade"),)
    assert decoder.decode(b"pong") == (Heard(),)
    assert decoder.decode(b'{"event":"channel-conn-count","channel":"books"}') == (Heard(),)
