"""Gate.io's protocol, as its documents have it."""

from __future__ import annotations

import time

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state, texts
from venue_simulator.simulator import Simulator
from venue_simulator.venues.gateio import FakeGateio


def asked(*payload: str, channel: str = "spot.obu", event: str = "subscribe") -> Message:
    now = int(time.time())
    return {"time": now, "id": 9, "channel": channel, "event": event, "payload": [*payload]}


async def followed(wire: Wire, *payload: str, channel: str = "spot.obu") -> None:
    ack = await wire.ask(asked(*payload, channel=channel))
    assert (ack["id"], ack["event"], ack["payload"]) == (9, "subscribe", [*payload])
    assert (ack["error"], ack["result"]) == (None, {"status": "success"})


@pytest.mark.parametrize(
    ("channel", "payload", "depth"),
    [
        ("spot.obu", ["ob.ETH_BTC.50"], 50),
        ("spot.obu", ["ob.ETH_BTC.400"], 400),
        ("spot.order_book_update", ["ETH_BTC", "100ms"], 100),
        ("spot.order_book_update", ["ETH_BTC", "20ms"], 20),
    ],
)
async def test_a_whole_book_comes_first_then_changes_that_join(
    simulator: Simulator, channel: str, payload: list[str], depth: int
) -> None:
    async with dialled(simulator, "gateio") as wire:
        await followed(wire, *payload, channel=channel)
        book = (await wire.hear())["result"]
        assert book["full"] is True
        assert book["s"] == ("ETH_BTC" if channel == "spot.order_book_update" else payload[0])
        assert book["b"] == texts(last_state(simulator, "gateio").bids[:depth])
        sides, last = {side: dict(book[side]) for side in "ba"}, book["u"]
        simulator.step(30)
        left_out = 0
        for _ in range(30):
            result = (await wire.hear())["result"]
            assert result["U"] == last + 1
            assert result["u"] >= result["U"]
            last = result["u"]
            for side in "ba":
                left_out += side not in result
                sides[side] |= dict(result.get(side, []))
    state = last_state(simulator, "gateio")
    assert last == state.venue_seq
    bids = sorted((float(p), a) for p, a in sides["b"].items() if float(a))
    assert bids[-10:] == sorted((float(p), a) for p, a in state.bids[:10])
    assert bool(left_out) is (channel == "spot.obu"), "only obu leaves sides out"


async def test_whole_tops_and_best_prices_count_alike(simulator: Simulator) -> None:
    async with dialled(simulator, "gateio") as wire:
        await followed(wire, "ETH_BTC", "5", "100ms", channel="spot.order_book")
        await followed(wire, "ETH_BTC", "BTC_USD", channel="spot.book_ticker")
        simulator.step(20)
        heard: dict[str, dict[int, list[str]]] = {"spot.order_book": {}, "spot.book_ticker": {}}
        while len(heard["spot.book_ticker"]) < 3:
            push = await wire.hear()
            result = push["result"]
            if result["s"] == "ETH_BTC" and "b" in result:
                heard[push["channel"]][result["u"]] = [result["b"], result["B"]]
            elif result["s"] == "ETH_BTC":
                assert len(result["bids"]) == len(result["asks"]) == 5
                heard[push["channel"]][result["lastUpdateId"]] = result["bids"][0]
    tops, bests = heard.values()
    shared = tops.keys() & bests.keys()
    assert shared
    assert all(tops[number] == bests[number] for number in shared)


@pytest.mark.parametrize("name", ["ob.AAA_BBB.50", "ob.eth_btc.50", "ob.ETH_BTC.30", "x"])
async def test_an_unknown_stream_is_acknowledged_and_silent(
    simulator: Simulator, name: str
) -> None:
    async with dialled(simulator, "gateio") as wire:
        await followed(wire, name)
        simulator.step()
        assert (await wire.ask({"time": 1, "channel": "spot.ping"}))["channel"] == "spot.pong"


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (asked("NOPE_USD", channel="spot.book_ticker"), 2, "unknown currency pair: NOPE_USD"),
        (asked("eth_btc", "100ms", channel="spot.order_book_update"), 2, "unknown currency pair"),
        (asked("ETH_BTC", "30", "100ms", channel="spot.order_book"), 2, "not supported: 30"),
        (asked("ETH_BTC", "20", "10ms", channel="spot.order_book"), 2, "update interval"),
        (asked("ETH_BTC", "10ms", channel="spot.order_book_update"), 2, "update interval"),
        (asked("ETH_BTC", channel="spot.dance"), 2, "Unknown channel spot.dance"),
        (asked("ob.ETH_BTC.50", event="dance"), 2, "event dance"),
        (asked("ob.ETH_BTC.50") | {"time": 1}, 2, "time 1"),
        (asked(), 2, "empty payload"),
        ([1], 1, "invalid request body"),
    ],
)
async def test_mistakes_get_a_code(
    simulator: Simulator, request_: object, code: int, text: str
) -> None:
    if isinstance(request_, dict) and text != "time 1":
        request_ |= {"time": asked()["time"]}  # by now it may be a minute old
    async with dialled(simulator, "gateio") as wire:
        answer = await wire.ask(request_)
    assert answer["result"] == {"status": "fail"}
    assert answer["error"]["code"] == code
    assert text in answer["error"]["message"]


async def test_the_same_stream_twice_is_refused_and_what_is_no_json_unheard(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "gateio") as wire:
        await followed(wire, "ob.ETH_BTC.50")
        await wire.hear()
        await wire.socket.send("what?")
        answer = await wire.ask(asked("ob.ETH_BTC.50"))
        assert answer["error"] == {"code": 2, "message": "Alert sub ob.ETH_BTC.50"}
        left = await wire.ask(asked("ob.ETH_BTC.50", event="unsubscribe"))
        assert left["event"] == "unsubscribe"
        simulator.step()
        await followed(wire, "ob.ETH_BTC.50")
        assert (await wire.hear())["result"]["full"]


async def test_who_says_nothing_for_long_is_hung_up_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGateio, "liveness", type(FakeGateio.liveness)(silence_limit_s=0.05))
    async with dialled(simulator, "gateio") as wire:
        assert await wire.closed() == 1000


async def test_rest_lists_and_gives_books(simulator: Simulator) -> None:
    base = f"{simulator.rest_url('gateio')}/api/v4/spot"
    pairs = (await get(f"{base}/currency_pairs")).body
    (listed,) = [one for one in pairs if one["id"] == "ETH_BTC"]
    assert (listed["base"], listed["quote"], listed["precision"]) == ("ETH", "BTC", 5)
    assert [one["id"] for one in pairs if one["trade_status"] == "untradable"] == ["LUNA_USD"]
    book = (await get(f"{base}/order_book?currency_pair=ETH_BTC&limit=100&with_id=true")).body
    assert book["id"] == last_state(simulator, "gateio").venue_seq
    assert len(book["bids"]) == 100
    usual = (await get(f"{base}/order_book?currency_pair=ETH_BTC")).body
    assert "id" not in usual
    assert len(usual["asks"]) == 10
    unknown = await get(f"{base}/order_book?currency_pair=A_B")
    assert (unknown.status, unknown.body["label"]) == (400, "INVALID_CURRENCY_PAIR")
