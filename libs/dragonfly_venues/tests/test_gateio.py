"""Gate.io's frames: whole books, chains of changes, answers; and its list."""

from __future__ import annotations

import json

import msgspec
import pytest
from dragonfly_venues.events import (
    Acked,
    Bbo,
    BookTop,
    Broken,
    FrameError,
    Heard,
    RequestRefused,
    Trading,
    Unchanged,
)
from dragonfly_venues.gateio import control, instruments, seed
from dragonfly_venues.gateio.decoder import GateioDecoder
from dragonfly_venues.gateio.venue import Gateio
from dragonfly_venues.venue import Ask, Market
from hypothesis import given
from hypothesis import strategies as st
from lists import markets_of

SYMBOL = "BTC_USDT"
Levels = list[list[str]]


def push(
    last: int,
    first: int | None = None,
    *,
    b: Levels | None = None,
    a: Levels | None = None,
    stream: str = f"ob.{SYMBOL}.50",
) -> bytes:
    """Return a whole book, or where `first` is given changes; a side that is None is left out."""
    result: dict[str, object] = {"t": 1747054612673}
    result |= {"full": True} if first is None else {}
    result |= {"s": stream, "u": last}
    result |= {} if first is None else {"U": first}
    result |= {name: side for name, side in (("b", b), ("a", a)) if side is not None}
    frame = {"channel": "spot.obu", "event": "update", "time_ms": 1747054612700, "result": result}
    return json.dumps(frame, separators=(",", ":")).encode()


FULL = push(100, b=[["9", "1"], ["8", "2"]], a=[["10", "1"]])


def live(depth: int = 2) -> GateioDecoder:
    decoder = GateioDecoder(depth)
    decoder.decode(FULL)
    return decoder


def test_a_whole_book_and_its_changes_in_any_order() -> None:
    decoder = GateioDecoder(2)
    [first] = decoder.decode(FULL)
    ts_event = 1747054612673000000
    assert first == BookTop(SYMBOL, 100, ts_event, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),))
    [second] = decoder.decode(push(103, 101, b=[["7", "4"], ["9", "0"], ["8.5", "3"]]))
    assert isinstance(second, BookTop)
    assert second.bids == ((8.5, 3.0), (8.0, 2.0))
    assert second.asks == ((10.0, 1.0),)
    assert decoder.seq(SYMBOL) == second.venue_seq == 103


def test_a_message_without_levels_counts() -> None:
    decoder = live()
    assert decoder.decode(push(104, 101)) == (Unchanged(SYMBOL),)
    [top] = decoder.decode(push(105, 105, a=[["9.5", "1"]]))
    assert isinstance(top, BookTop)


def test_what_is_old_changes_nothing() -> None:
    decoder = live()
    assert decoder.decode(push(100, 98, b=[["9", "5"]])) == (Unchanged(SYMBOL),)
    assert decoder.seq(SYMBOL) == 100


@pytest.mark.parametrize("first", [100, 102])
def test_what_does_not_begin_behind_the_last_breaks_the_book(first: int) -> None:
    decoder = live()
    [broken] = decoder.decode(push(103, first, b=[["9", "5"]]))
    assert isinstance(broken, Broken)
    assert (broken.symbol, broken.cause) == (SYMBOL, "gap")
    assert decoder.decode(push(104, 104, b=[["9", "5"]])) == (Unchanged(SYMBOL),)
    [again] = decoder.decode(FULL)
    assert isinstance(again, BookTop)


def test_a_whole_book_may_come_at_any_time() -> None:
    decoder = live()
    [top] = decoder.decode(push(50, b=[["7", "1"]], a=[]))
    assert isinstance(top, BookTop)
    assert (top.venue_seq, top.bids, top.asks) == (50, ((7.0, 1.0),), ())
    assert isinstance(decoder.decode(push(51, 51, b=[["7", "0"]]))[0], BookTop)


def test_changes_before_a_whole_book_and_after_forgetting_say_nothing() -> None:
    decoder = GateioDecoder(2)
    assert decoder.decode(push(2, 1)) == (Unchanged(SYMBOL),)
    decoder.decode(FULL)
    decoder.forget(SYMBOL)
    assert decoder.decode(push(101, 101, b=[["9", "5"]])) == (Unchanged(SYMBOL),)
    assert decoder.seq(SYMBOL) == -1


@given(st.lists(st.integers(1, 3), max_size=40), st.integers(0, 39))
def test_a_chain_holds_until_one_is_missing(widths: list[int], lost: int) -> None:
    decoder, last = live(), 100
    for number, width in enumerate(widths):
        frame = push(last + width, last + 1, b=[["9", str(number + 2)]])
        last += width
        if number == lost:
            continue
        [event] = decoder.decode(frame)
        if number < lost:
            assert isinstance(event, BookTop)
        else:
            assert isinstance(event, Broken if number == lost + 1 else Unchanged)


def test_what_leaves_the_window_is_dropped_without_a_removal() -> None:
    decoder = GateioDecoder(50)
    bids = [[str(1000 - n), "1"] for n in range(50)]
    decoder.decode(push(100, b=bids, a=[["2000", "1"]]))
    decoder.decode(push(101, 101, b=[["1001", "1"]]))
    [top] = decoder.decode(push(102, 102, b=[["1001", "0"], ["951", "7"]]))
    assert isinstance(top, BookTop)
    assert len(top.bids) == 50
    assert top.bids[-1] == (951.0, 7.0)


@pytest.mark.parametrize(("depth", "levels"), [(1, 50), (50, 50), (51, 400), (100, 400)])
def test_the_stream_is_the_shallowest_that_is_deep_enough(depth: int, levels: int) -> None:
    [frame] = control.request(Ask(symbols=[SYMBOL, "ETH_BTC"], request_id=7, depth=depth))
    asked = json.loads(frame)
    assert asked["payload"] == [f"ob.{SYMBOL}.{levels}", f"ob.ETH_BTC.{levels}"]
    assert (asked["channel"], asked["event"], asked["id"]) == ("spot.obu", "subscribe", 7)
    books, best = control.request(
        Ask(symbols=[SYMBOL, "ETH_BTC"], request_id=7, depth=depth, bbo=True)
    )
    assert books == frame
    pairs = {"channel": "spot.book_ticker", "payload": [SYMBOL, "ETH_BTC"]}
    assert json.loads(best) == asked | pairs
    name = f"ob.{SYMBOL}.{levels}"
    [top] = GateioDecoder(depth).decode(push(1, b=[["9", "1"]], a=[], stream=name))
    assert isinstance(top, BookTop)
    other = f"ob.{SYMBOL}.{450 - levels}"
    with pytest.raises(FrameError, match="unknown_channel"):
        GateioDecoder(depth).decode(push(1, b=[["9", "1"]], a=[], stream=other))


def test_best_prices_are_numbered_like_the_book() -> None:
    result = {"t": 5, "u": 101, "s": SYMBOL, "b": "9.5", "B": "1", "a": "", "A": ""}
    frame = {"channel": "spot.book_ticker", "event": "update", "time_ms": 6, "result": result}
    said = live().decode(json.dumps(frame, separators=(",", ":")).encode())
    assert said == (Bbo(SYMBOL, 101, (9.5, 1.0), None, 5_000_000),)


def test_each_frame_has_the_time_in_seconds() -> None:
    for frame in (
        control.ping(1),
        *control.request(Ask(symbols=[SYMBOL], request_id=1, depth=5, subscribe=False)),
    ):
        asked = json.loads(frame)
        stamped = json.loads(control.stamp(frame, 1747054611_999_999_999))
        assert stamped == {"time": 1747054611} | asked


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (push(101, 101, b=[["-9", "1"]]), "bad_shape"),
        (push(101, 101, b=[["0", "1"]]), "bad_shape"),
        (push(101, 101, b=[["9", "-1"]]), "bad_shape"),
        (push(101, 101, b=[["9", "NaN"]]), "bad_shape"),
        (push(-1, 101), "bad_shape"),
        (push(101, 101).replace(b'"U":101', b'"V":101'), "bad_shape"),
        (FULL[:-9], "not_json"),
        (b'{"channel":"spot.trades","event":"update","result":{}}', "unknown_channel"),
        (push(101, 101, stream="ob..50"), "unknown_channel"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = live()
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.seq(SYMBOL) == 100


def test_answers() -> None:
    decoder = GateioDecoder(2)
    ack = (
        b'{"time":1747054611,"time_ms":1747054611614,"id":1,"conn_id":"d7de","trace_id":"e6fd",'
        b'"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"],"error":null,'
        b'"result":{"status":"success"},"requestId":"5"}'
    )
    assert decoder.decode(ack) == (Acked(1),)
    # What was recorded in 2021 had no more than this.
    old = b'{"time":1,"channel":"spot.obu","event":"unsubscribe","result":{"status":"success"}}'
    assert decoder.decode(old) == (Acked(None, subscribed=False),)
    refused = (
        b'{"time":1,"id":3,"channel":"spot.obu","event":"subscribe","error":{"code":2,'
        b'"message":"Alert sub ob.BTC_USDT.50"},"result":{"status":"fail"}}'
    )
    assert decoder.decode(refused) == (RequestRefused(3, (), "Alert sub ob.BTC_USDT.50 (code 2)"),)
    pong = b'{"time":1,"time_ms":1,"channel":"spot.pong","event":"","error":null,"result":null}'
    assert decoder.decode(pong) == (Heard(),)


def pair(name: str, status: str = "tradable", **more: object) -> dict[str, object]:
    base, _, quote = name.partition("_")
    return {"id": name, "base": base, "quote": quote, "trade_status": status, **more}


def test_the_list() -> None:
    listed = [
        pair("BTC_USDT", precision=1, amount_precision=6, min_quote_amount="3"),
        pair("SAL_USDT", "untradable", min_base_amount="0.001"),
        pair("X_USDT", "sellable"),
        pair("BTC3L_USDT"),
        {"id": "odd"},
    ]
    markets = markets_of(instruments.SOURCE, msgspec.json.encode(listed))
    assert markets["BTC-USDT"] == Market("BTC_USDT", tick="0.1", lot="0.000001", min_notional="3")
    halted = Trading(halted=True, word="untradable")
    assert markets["SAL-USDT"] == Market("SAL_USDT", halted, min_amount="0.001")
    assert markets["X-USDT"].trading == Trading(halted=False, word="sellable")
    assert markets.left_out["malformed"] == 1


def test_a_book_over_rest() -> None:
    assert seed.SOURCE.path(SYMBOL).endswith("?currency_pair=BTC_USDT&limit=100&with_id=true")
    reply = b'{"id":123456,"current":1,"update":1,"asks":[["10","2"]],"bids":[["9","1"],["8","1"]]}'
    assert seed.SOURCE.parse(reply, SYMBOL, 1) == BookTop(
        SYMBOL, 123456, None, ((9.0, 1.0),), ((10.0, 2.0),)
    )
    with pytest.raises(FrameError):
        seed.SOURCE.parse(b'{"asks":[],"bids":[]}', SYMBOL, 1)


def test_the_ping_is_sent_well_before_the_venue_cuts() -> None:
    keepalive_s = Gateio.liveness.keepalive_s
    assert keepalive_s is not None
    assert keepalive_s <= 15
