"""Deribit's frames: whole tops, chains of changes, and answers of JSON-RPC."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from dragonfly_common.types import Side
from dragonfly_venues.deribit import Deribit, instruments, seed
from dragonfly_venues.deribit.decoder import DeribitChangesDecoder, DeribitDecoder
from dragonfly_venues.events import (
    TRADING,
    Acked,
    BookTop,
    Broken,
    Event,
    FrameError,
    Heard,
    Reply,
    RequestRefused,
    Trading,
    TradingChange,
    Unchanged,
)
from dragonfly_venues.venue import Ask
from hypothesis import given
from hypothesis import strategies as st
from lists import markets_of

SAME = Unchanged("BTC_USDC")
TOP = "book.BTC_USDC.none.20.100ms"
CHANGES = "book.BTC_USDC.100ms"
DROPPED = "its channel is not among those that were subscribed"

Action = tuple[str, float, float]


def compact(fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def push(channel: str, **data: object) -> bytes:
    params = {"channel": channel, "data": data}
    return compact({"jsonrpc": "2.0", "method": "subscription", "params": params})


def top(number: int, bids: Side, asks: Side, channel: str = TOP) -> bytes:
    about = {"timestamp": 1626993723632, "instrument_name": "BTC_USDC", "change_id": number}
    return push(channel, **about, bids=bids, asks=asks)


def snapshot(number: int, bids: list[Action], asks: list[Action]) -> bytes:
    about = {"type": "snapshot", "timestamp": 1626993723632, "instrument_name": "BTC_USDC"}
    return push(CHANGES, **about, change_id=number, bids=bids, asks=asks)


def change(
    before: int | None, number: int, bids: list[Action] | None = None, kind: str = "change"
) -> bytes:
    about = {"type": kind, "timestamp": 1626993723632, "prev_change_id": before}
    return push(CHANGES, **about, change_id=number, bids=bids or [], asks=[])


FIRST = snapshot(100, [("new", 9.0, 1.0), ("new", 8.0, 2.0)], [("new", 10.0, 1.0)])


def test_a_whole_top_is_read_and_its_repetition_is_no_news() -> None:
    decoder = DeribitDecoder(2)
    frame = top(7, ((9.0, 0.1), (8.0, 2.2e3), (7.0, 1.0)), ((10.0, 1e-5),))
    assert decoder.decode(frame) == (
        BookTop("BTC_USDC", 7, None, ((9.0, 0.1), (8.0, 2200.0)), ((10.0, 1e-5),)),
    )
    assert decoder.decode(frame) == (SAME,)
    assert decoder.decode(top(9, ((9.0, 0.1), (8.0, 2.2e3)), ((10.0, 1e-5),))) == (SAME,)
    assert decoder.seq("BTC_USDC") == 9
    [event] = decoder.decode(top(12, (), ()))
    assert event == BookTop("BTC_USDC", 12, None, (), ())


def test_a_whole_top_that_is_laid_out_otherwise_is_read_in_full() -> None:
    frame = json.dumps(json.loads(top(7, ((9.0, 1.0),), ()))).encode()
    assert DeribitDecoder(2).decode(frame) == (BookTop("BTC_USDC", 7, None, ((9.0, 1.0),), ()),)


def test_a_snapshot_and_a_chain_of_changes_make_the_book() -> None:
    decoder = DeribitChangesDecoder(2)
    [first] = decoder.decode(FIRST)
    assert first == BookTop(
        "BTC_USDC", 100, 1626993723632000000, ((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),)
    )
    [second] = decoder.decode(change(100, 291, [("delete", 9.0, 0.0), ("new", 8.5, 3.0)]))
    assert isinstance(second, BookTop)
    assert second.bids == ((8.5, 3.0), (8.0, 2.0))
    assert decoder.seq("BTC_USDC") == second.venue_seq == 291
    assert decoder.decode(change(291, 300, [("new", 1.0, 3.0)])) == (SAME,)


def test_a_snapshot_may_name_no_predecessor() -> None:
    frame = FIRST.replace(b'"change_id"', b'"prev_change_id":null,"change_id"')
    [event] = DeribitChangesDecoder(2).decode(frame)
    assert isinstance(event, BookTop)


@pytest.mark.parametrize("before", [99, 101])
def test_a_missing_link_breaks_the_book_until_the_next_snapshot(before: int) -> None:
    decoder = DeribitChangesDecoder(2)
    decoder.decode(FIRST)
    [event] = decoder.decode(change(before, 120, [("new", 9.0, 5.0)]))
    assert isinstance(event, Broken)
    assert (event.symbol, event.cause) == ("BTC_USDC", "gap")
    assert decoder.decode(change(120, 121)) == (SAME,)
    [again] = decoder.decode(FIRST)
    assert isinstance(again, BookTop)


def test_what_was_forgotten_waits_for_a_snapshot() -> None:
    decoder = DeribitChangesDecoder(2)
    decoder.decode(FIRST)
    decoder.forget("BTC_USDC")
    assert decoder.decode(change(100, 101)) == (SAME,)
    assert decoder.seq("BTC_USDC") == -1


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20), st.integers(0, 25))
def test_a_book_is_right_until_a_change_is_lost_and_then_gone(
    strides: list[int], lost: int
) -> None:
    """The amount of the best bid is the number of the book, so that it is known what it is."""
    numbers = [100]
    for stride in strides:
        numbers.append(numbers[-1] + stride)
    decoder = DeribitChangesDecoder(1)
    events: list[Event] = [*decoder.decode(FIRST)]
    for at, (before, number) in enumerate(pairwise(numbers)):
        if at != lost:
            events += decoder.decode(change(before, number, [("change", 9.0, float(number))]))
    broken = [at for at, event in enumerate(events) if isinstance(event, Broken)]
    assert broken == ([lost + 1] if lost < len(strides) - 1 else [])
    for event in events[1:]:
        if isinstance(event, BookTop):
            assert event.bids == ((9.0, float(event.venue_seq)),)
    assert not any(isinstance(event, BookTop) for event in events[lost + 1 :])


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (change(100, 101, [("new", -9.0, 1.0)]), "bad_shape"),
        (change(100, 101, [("new", 9.0, -1.0)]), "bad_shape"),
        (change(100, 101, [("turn", 9.0, 1.0)]), "bad_shape"),
        (change(100, -1), "bad_shape"),
        (change(None, 101), "bad_shape"),
        (change(100, 101, kind="reset"), "bad_shape"),
        (change(100, 101)[:-9], "not_json"),
        (change(100, 101).replace(b".100ms", b".raw"), "unknown_channel"),
        (change(100, 101).replace(b"BTC_USDC", b""), "unknown_channel"),
        (b'{"jsonrpc":"2.0"}', "bad_shape"),
        (push("quote.BTC_USDC", best_bid_price=9.0), "unknown_channel"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(frame: bytes, reason: str) -> None:
    decoder = DeribitChangesDecoder(2)
    decoder.decode(FIRST)
    with pytest.raises(FrameError) as caught:
        decoder.decode(frame)
    assert caught.value.reason == reason
    assert decoder.decode(change(100, 101)) == (SAME,)


def answer(call_id: int, **fields: object) -> bytes:
    times = {"usIn": 1, "usOut": 2, "usDiff": 1, "testnet": False}
    return compact({"jsonrpc": "2.0", "id": call_id, **fields, **times})


@pytest.mark.parametrize("decoder", [DeribitDecoder(2), DeribitChangesDecoder(2)])
def test_answers(decoder: DeribitDecoder | DeribitChangesDecoder) -> None:
    listed = answer(15, result=["book.ETH_USDC.100ms", TOP])
    assert decoder.decode(listed) == (Acked(7, ("ETH_USDC", "BTC_USDC"), others=DROPPED),)
    assert decoder.decode(answer(15, result=[])) == (Acked(7, others=DROPPED),)
    assert decoder.decode(answer(14, result=[TOP])) == (
        Acked(7, ("BTC_USDC",), subscribed=False, others=DROPPED),
    )
    error = {"code": 10028, "message": "too_many_requests", "data": None}
    assert decoder.decode(answer(15, error=error)) == (
        RequestRefused(7, (), "too_many_requests (code 10028)"),
    )
    nameless = compact({"jsonrpc": "2.0", "error": error})
    assert decoder.decode(nameless) == (RequestRefused(None, (), "too_many_requests (code 10028)"),)
    for heard in ("ok", {"version": "1.2.26"}, ["platform_state"]):
        assert decoder.decode(answer(1, result=heard)) == (Heard(),)


def test_the_heartbeat_is_answered_where_it_asks() -> None:
    decoder = DeribitDecoder(2)
    beat = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}}
    assert decoder.decode(compact(beat)) == (Heard(),)
    beat["params"] = {"type": "test_request"}
    [reply] = decoder.decode(compact(beat))
    assert isinstance(reply, Reply)
    assert json.loads(reply.text)["method"] == "public/test"


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ({"maintenance": True}, TradingChange(None, Trading(halted=True, word="maintenance"))),
        ({"maintenance": False}, TradingChange(None, TRADING)),
        (
            {"locked": True, "price_index": "btc_usdc"},
            TradingChange("BTC_USDC", Trading(halted=True, word="locked")),
        ),
        ({"locked": False, "price_index": "btc_usdc"}, TradingChange("BTC_USDC", TRADING)),
        ({"locked": True}, Heard()),
        ({}, Heard()),
    ],
)
def test_the_platform_tells_of_maintenance_and_locks(
    state: dict[str, object], event: Event
) -> None:
    assert DeribitDecoder(2).decode(push("platform_state", **state)) == (event,)


def test_what_is_asked_for_by_depth() -> None:
    ask = Ask(symbols=["BTC_USDC", "ETH_USDC"], request_id=7, depth=20)
    deribit = Deribit()
    [frame] = deribit.at(20).requests(ask)
    assert json.loads(frame) == {
        "jsonrpc": "2.0",
        "id": 15,
        "method": "public/subscribe",
        "params": {"channels": [TOP, "book.ETH_USDC.none.20.100ms"]},
    }
    deep = deribit.at(21)
    assert (deribit.levels, deep.levels) == (20, None)
    [frame] = deep.requests(Ask(symbols=["BTC_USDC"], request_id=7, depth=21, subscribe=False))
    asked = json.loads(frame)
    assert (asked["id"], asked["method"]) == (14, "public/unsubscribe")
    assert asked["params"] == {"channels": [CHANGES]}


def test_a_heartbeat_and_the_platforms_state_are_asked_for_first() -> None:
    beat, state = map(json.loads, Deribit().greeting)
    assert (beat["method"], beat["params"]) == ("public/set_heartbeat", {"interval": 30})
    assert state["params"] == {"channels": ["platform_state"]}


def test_a_book_over_rest_has_the_number_of_the_channels() -> None:
    book = {"bids": [[9.0, 1.0], [8.0, 2.0]], "asks": [], "change_id": 100, "state": "open"}
    reply = compact({"jsonrpc": "2.0", "result": book, "testnet": False})
    assert seed.SOURCE.parse(reply, "BTC_USDC", 1) == BookTop(
        "BTC_USDC", 100, None, ((9.0, 1.0),), ()
    )
    with pytest.raises(FrameError):
        seed.SOURCE.parse(b'{"jsonrpc":"2.0","error":{"code":13020}}', "BTC_USDC", 1)


MARKET = {
    "instrument_name": "BTC_USDC",
    "base_currency": "BTC",
    "quote_currency": "USDC",
    "is_active": True,
    "state": "open",
    "tick_size": 0.01,
    "contract_size": 0.0001,
    "min_trade_amount": 0.0002,
}


def test_the_list_names_the_instruments() -> None:
    [(name, market)] = markets_of(instruments.SOURCE, compact({"result": [MARKET]})).items()
    assert (name, market.symbol, market.trading) == ("BTC-USDC", "BTC_USDC", TRADING)
    assert (market.tick, market.lot, market.min_amount) == ("0.01", "0.0001", "0.0002")


@pytest.mark.parametrize(("state", "word"), [("locked", "locked"), ("", "inactive")])
def test_a_market_that_is_not_active_is_halted(state: str, word: str) -> None:
    entry = {**MARKET, "is_active": False, "state": state}
    [market] = markets_of(instruments.SOURCE, compact({"result": [entry]})).values()
    assert market.trading == Trading(halted=True, word=word)


def test_odd_entries_are_left_out() -> None:
    entries = [MARKET, {"kind": "spot"}, {**MARKET, "base_currency": "B T C"}]
    markets = markets_of(instruments.SOURCE, compact({"result": entries}))
    assert list(markets) == ["BTC-USDC"]
    assert markets.left_out == {"malformed": 1, "unnamed": 1}
