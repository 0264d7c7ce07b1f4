"""Bitget's frames: chains of changes, bare texts, and books without numbers."""

from __future__ import annotations

import json

import pytest
from dragonfly_venues.bitget.control import request
from dragonfly_venues.bitget.decoder import BitgetDecoder
from dragonfly_venues.events import (
    Acked,
    BookTop,
    Broken,
    FrameError,
    Heard,
    RequestRefused,
    Unchanged,
    Verified,
)
from dragonfly_venues.venue import Ask
from hypothesis import given
from hypothesis import strategies as st

SYMBOL = "BTCUSDT"
SAME = (Unchanged(SYMBOL),)
TS = 1730332800391
NS = TS * 1_000_000


def push(
    action: str,
    link: int | None,
    seq: int | None,
    *,
    bids: str = "",
    asks: str = "",
    ts: int = TS,
    checksum: int | None = None,
) -> bytes:
    """Return a frame whose sides are written `price:amount …`; None is left out."""
    data: dict[str, object] = {
        "asks": [level.split(":") for level in asks.split()],
        "bids": [level.split(":") for level in bids.split()],
    }
    if seq is not None:
        data |= {"seq": seq, "pseq": link}
    if checksum is not None:
        data["checksum"] = checksum
    data["ts"] = str(ts)
    arg = {"instType": "SPOT", "channel": "books", "instId": SYMBOL}
    frame = {"action": action, "arg": arg, "data": [data], "ts": TS + 45}
    return json.dumps(frame, separators=(",", ":")).encode()


SNAPSHOT = push("snapshot", 0, 100, bids="9:1 8:2", asks="10:1")


def begun() -> BitgetDecoder:
    decoder = BitgetDecoder(2)
    decoder.decode(SNAPSHOT)
    return decoder


def test_a_snapshot_and_a_chain_of_changes_make_the_book() -> None:
    decoder = BitgetDecoder(2)
    [first] = decoder.decode(SNAPSHOT)
    assert first == BookTop(SYMBOL, 100, NS, ((9, 1), (8, 2)), ((10, 1),))
    [second] = decoder.decode(push("update", 100, 107, bids="9:0 8.5:3"))
    assert isinstance(second, BookTop)
    assert second.bids == ((8.5, 3.0), (8.0, 2.0))
    assert decoder.decode(push("update", 107, 109)) == SAME
    assert decoder.seq(SYMBOL) == 109


def test_the_documented_message() -> None:
    frame = (
        b'{"action":"snapshot","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},"data'
        b'":[{"asks":[["0.09707","1600.00"]],"bids":[["0.09694","1213.91"]],"checksum":0,"seq":123,'
        b'"pseq":0,"ts":"1730332800391"}],"ts":1730332800436}'
    )
    [top] = BitgetDecoder(10).decode(frame)
    assert top == BookTop(SYMBOL, 123, NS, ((0.09694, 1213.91),), ((0.09707, 1600),))


@pytest.mark.parametrize("link", [99, 101, 0])
def test_a_missing_link_breaks_the_book_until_the_next_snapshot(link: int) -> None:
    decoder = begun()
    [event] = decoder.decode(push("update", link, 120, bids="9:5"))
    assert isinstance(event, Broken)
    assert (event.symbol, event.cause) == (SYMBOL, "gap")
    assert decoder.decode(push("update", 120, 121, bids="9:6")) == SAME
    assert isinstance(decoder.decode(SNAPSHOT)[0], BookTop)


@pytest.mark.parametrize("seq", [3, 100, 2**53 + 9])
def test_a_snapshot_at_any_time_replaces_the_book(seq: int) -> None:
    decoder = begun()
    [top] = decoder.decode(push("snapshot", 0, seq, bids="7:1"))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.bids, top.asks) == (seq, ((7, 1),), ())
    assert isinstance(decoder.decode(push("update", seq, seq + 1, bids="7:2"))[0], BookTop)


def test_without_numbers_the_book_is_known_by_its_time() -> None:
    decoder = BitgetDecoder(2)
    decoder.decode(push("snapshot", None, None, bids="9:1", asks="10:1"))
    [top] = decoder.decode(push("update", None, None, bids="9:2", ts=TS + 100))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.bids) == (TS + 100, ((9, 2),))
    assert decoder.seq(SYMBOL) == TS + 100


def test_an_update_without_numbers_among_numbers_is_a_gap() -> None:
    assert isinstance(begun().decode(push("update", None, None, bids="9:2"))[0], Broken)


@given(st.lists(st.sampled_from(["next", "lose", "repeat", "snapshot"]), max_size=30))
def test_whatever_is_lost_the_book_is_the_venues_or_none(steps: list[str]) -> None:
    decoder = begun()
    seq, amount, sound, last = 100, 1, True, b""
    for step in steps:
        if step == "repeat" and not last:
            continue
        if step == "repeat":
            # A repeated link follows nothing: the book is asked for anew.
            sound = False
            assert not any(isinstance(event, BookTop) for event in decoder.decode(last))
            continue
        before, seq, amount = seq, seq + 3, amount + 1
        if step == "lose":
            sound, last = False, b""
            continue
        if step == "snapshot":
            frame, sound, last = push("snapshot", 0, seq, bids=f"9:{amount}"), True, b""
        else:
            frame = last = push("update", before, seq, bids=f"9:{amount}")
        events = decoder.decode(frame)
        tops = [event for event in events if isinstance(event, BookTop)]
        assert [(top.venue_seq, top.bids[0]) for top in tops] == [(seq, (9, amount))] * sound


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (push("update", 100, 101, bids="-9:1"), "bad_shape"),
        (push("update", 100, 101, bids="9:-1"), "bad_shape"),
        (push("update", 100, 101, bids="9:Infinity"), "bad_shape"),
        (push("update", 100, -2), "bad_shape"),
        (push("reset", 100, 101), "bad_shape"),
        (SNAPSHOT[:-9], "not_json"),
        (b'{"event":"login"}', "unknown_channel"),
        (b"pang", "not_json"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = begun()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert isinstance(decoder.decode(push("update", 100, 101, bids="9:5"))[0], BookTop)


@pytest.mark.parametrize("code", ["30001", '"30001"'])
def test_answers(code: str) -> None:
    decoder = BitgetDecoder(2)
    arg = '"arg":{"instType":"SPOT","channel":"books","instId":"NOPEUSDT"}'
    acked = decoder.decode(f'{{"event":"subscribe",{arg}}}'.encode())
    assert acked == (Acked(None, ("NOPEUSDT",)),)
    left = decoder.decode(f'{{"event":"unsubscribe",{arg}}}'.encode())
    assert left == (Acked(None, ("NOPEUSDT",), subscribed=False),)
    why = "instType:SPOT,channel:books,instId:NOPEUSDT doesn't exist"
    error = f'{{"event":"error",{arg},"code":{code},"msg":"{why}","op":"subscribe"}}'
    refused = decoder.decode(error.encode())
    assert refused == (RequestRefused(None, ("NOPEUSDT",), f"{why} (code 30001)"),)
    assert decoder.decode(b"pong") == (Heard(),)


HOLDS = 831078360
"""Of the documented vector: 3366.1:7:3366.8:9:3368:8:3372:8."""
HOLDS_LATER = -1881014294
"""Of 3366.1:7:3366.8:9:3366:6:3368:8."""


def vector(decoder: BitgetDecoder, seq: int = 100, checksum: int = HOLDS) -> object:
    """Return what comes of the first vector, of an update upon a snapshot without a checksum."""
    whole = push("snapshot", 0, seq, bids="3366.1:7", asks="3366.8:9 3368:8", checksum=0)
    assert len(decoder.decode(whole)) == 1
    return decoder.decode(push("update", seq, seq + 1, asks="3372:8", checksum=checksum))


def test_a_checksum_that_holds_is_told() -> None:
    decoder = BitgetDecoder(2)
    assert vector(decoder) == (Unchanged(SYMBOL), Verified(SYMBOL))
    update = push("update", 101, 102, bids="3366:6", asks="3372:0", checksum=HOLDS_LATER)
    top, verified = decoder.decode(update)
    assert isinstance(top, BookTop)
    assert verified == Verified(SYMBOL)
    assert decoder.decode(push("snapshot", 0, 200, bids="1:1", checksum=0))[1:] == ()


def test_the_text_counts_not_the_number() -> None:
    decoder = BitgetDecoder(2)
    vector(decoder)
    # 3372.0 is the price 3372, and printed otherwise.
    [broken] = decoder.decode(push("update", 101, 102, asks="3372.0:8", checksum=HOLDS))
    assert isinstance(broken, Broken)


def test_after_one_has_held_a_wrong_checksum_breaks_the_book_until_the_next_snapshot() -> None:
    decoder = BitgetDecoder(2)
    vector(decoder)
    [broken] = decoder.decode(push("update", 101, 102, bids="3366:6", checksum=7))
    assert isinstance(broken, Broken)
    assert (broken.symbol, broken.cause) == (SYMBOL, "checksum")
    assert decoder.decode(push("update", 102, 103, bids="3366:5", checksum=7)) == SAME
    assert vector(decoder, seq=200) == (Unchanged(SYMBOL), Verified(SYMBOL))


def test_a_checksum_of_another_kind_is_let_be() -> None:
    decoder = BitgetDecoder(2)
    assert vector(decoder, checksum=7) == SAME
    assert isinstance(decoder.decode(push("update", 101, 102, bids="3366.5:6"))[0], BookTop)


def test_changes_without_checksums_are_read_once() -> None:
    decoder = begun()
    decoder.decode(push("update", 100, 101, bids="9:5", checksum=0))
    assert not decoder._texts


@pytest.mark.parametrize(("depth", "channel"), [(1, "books1"), (2, "books"), (100, "books")])
def test_the_fastest_channel_that_is_deep_enough_is_asked_for(depth: int, channel: str) -> None:
    [frame] = request(Ask(symbols=[SYMBOL], request_id=7, depth=depth))
    arg = {"instType": "SPOT", "channel": channel, "instId": SYMBOL}
    assert json.loads(frame) == {"op": "subscribe", "args": [arg]}
