"""Bybit's protocol, as its documents have it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from dialects import dialled
from venue_client import Message, Wire, get, last_state, texts
from venue_simulator.book import Listing
from venue_simulator.simulator import Simulator
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.venue import Send
from venue_simulator.venues.bybit import FakeBybit


def asked(*topics: str, op: str = "subscribe") -> Message:
    return {"req_id": "9", "op": op, "args": list(topics)}


async def followed(wire: Wire, levels: int = 50) -> Message:
    ack = await wire.ask(asked(f"orderbook.{levels}.ETHBTC"))
    assert (ack["success"], ack["op"], ack["req_id"]) == (True, "subscribe", "9")
    return await wire.hear()


@pytest.mark.parametrize("levels", [1, 50, 200, 1000])
async def test_a_subscription_begins_with_a_snapshot(simulator: Simulator, levels: int) -> None:
    async with dialled(simulator, "bybit") as wire:
        first = await followed(wire, levels)
    state = last_state(simulator, "bybit")
    data = first["data"]
    assert (first["type"], first["topic"]) == ("snapshot", f"orderbook.{levels}.ETHBTC")
    assert (data["s"], data["seq"]) == ("ETHBTC", state.venue_seq)
    assert (data["b"], data["a"]) == (texts(state.bids[:levels]), texts(state.asks[:levels]))


async def test_deltas_are_numbered_one_by_one_and_make_the_window(simulator: Simulator) -> None:
    async with dialled(simulator, "bybit") as wire:
        data = (await followed(wire))["data"]
        sides = {name: dict(data[name]) for name in "ba"}
        simulator.step(40)
        for _ in range(40):
            message = await wire.hear()
            assert message["type"] == "delta"
            last, data = data, message["data"]
            assert data["u"] == last["u"] + 1
            assert data["seq"] > last["seq"] + 1, "the engine counts more than this topic"
            for name, side in sides.items():
                side.update(data[name])
                for price in [price for price, amount in side.items() if amount == "0"]:
                    del side[price]
    state = last_state(simulator, "bybit")
    assert sides == {"b": dict(state.bids[:50]), "a": dict(state.asks[:50])}


async def test_the_best_level_comes_whole_and_when_it_changes(simulator: Simulator) -> None:
    async with dialled(simulator, "bybit") as wire:
        best = [(await followed(wire, 1))["data"]]
        simulator.step(20)
        await wire.say({"op": "ping", "req_id": "5"})
        while (message := await wire.hear())["op" if "op" in message else "type"] != "ping":
            assert message["type"] == "snapshot"
            best.append(message["data"])
    assert 1 < len(best) <= 21
    for earlier, later in pairwise(best):
        assert (earlier["b"], earlier["a"]) != (later["b"], later["a"])
        assert later["seq"] > earlier["seq"]


async def test_topics_count_apart_and_share_the_engines_number(simulator: Simulator) -> None:
    async with dialled(simulator, "bybit") as wire:
        shallow, deep = (await followed(wire, 50))["data"], (await followed(wire, 200))["data"]
    assert shallow["seq"] == deep["seq"]
    assert shallow["u"] != deep["u"]


async def test_a_ping_is_answered_with_its_id(simulator: Simulator) -> None:
    async with dialled(simulator, "bybit") as wire:
        pong = await wire.ask({"op": "ping", "req_id": "5"})
    assert (pong["success"], pong["ret_msg"], pong["req_id"], pong["op"]) == (
        *(True, "pong"),
        *("5", "ping"),
    )


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (asked("orderbook.50.NOSUCHSYM"), "Invalid symbol :[orderbook.50.NOSUCHSYM]"),
        (asked("orderbook.50.ETHBTC", "orderbook.50.X"), "Invalid symbol :[orderbook.50.X]"),
        (asked("orderbook.7.ETHBTC"), "Invalid symbol :[orderbook.7.ETHBTC]"),
        (asked(*[f"orderbook.50.S{n}" for n in range(11)]), "args size >10"),
        (asked(), "args size >10"),
        ({"op": "dance"}, "unknown op dance"),
    ],
)
async def test_a_request_is_refused_as_a_whole(
    simulator: Simulator, request_: Message, why: str
) -> None:
    async with dialled(simulator, "bybit") as wire:
        answer = await wire.ask(request_)
        assert (answer["success"], answer["ret_msg"]) == (False, why)
        assert not simulator.subscriptions("bybit")


def test_no_connection_has_arguments_without_end() -> None:
    names = [f"orderbook.{levels}.{'X' * 50}" for levels in (1, 50, 200)]
    session = FakeBybit().session("/v5/public/spot", _Anything(), 1)
    answers = []
    for number in range(150):
        topics = [f"{name}{number}" for name in names]
        action = session.receive(json.dumps(asked(*topics)).encode(), 0)[0]
        assert isinstance(action, Send)
        answers.append(json.loads(action.frame)["success"])
    assert answers[0]
    assert not answers[-1]


class _Anything:
    """A venue that lists whatever is asked for."""

    halted = post_only = False
    desk: MatchingDesk

    def listings(self) -> list[Listing]:
        return []

    def listing(self, symbol: str) -> Listing:
        return Listing("ETH-BTC", symbol, 1, 1, 1, 1)

    def state(self, symbol: str) -> None:
        return None


async def test_a_topic_that_is_held_is_refused(simulator: Simulator) -> None:
    async with dialled(simulator, "bybit") as wire:
        await followed(wire)
        answer = await wire.ask(asked("orderbook.50.ETHBTC"))
    assert not answer["success"]
    assert answer["ret_msg"] == "error:already subscribed,topic:orderbook.50.ETHBTC"


async def test_after_unsubscribing_nothing_comes(simulator: Simulator) -> None:
    async with dialled(simulator, "bybit") as wire:
        await followed(wire)
        left = await wire.ask(asked("orderbook.50.ETHBTC", op="unsubscribe"))
        assert (left["success"], left["op"]) == (True, "unsubscribe")
        simulator.step()
        await wire.quiet({"op": "ping"}, lambda answer: answer["ret_msg"] == "pong")


async def test_who_says_nothing_for_long_is_hung_up_on(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FakeBybit.liveness.silence_limit_s == 600
    monkeypatch.setattr(FakeBybit, "liveness", type(FakeBybit.liveness)(silence_limit_s=0.05))
    async with dialled(simulator, "bybit") as wire:
        assert await wire.closed() == 1000


async def test_rest_lists_and_gives_books(simulator: Simulator) -> None:
    base = f"{simulator.rest_url('bybit')}/v5/market"
    reply = (await get(f"{base}/instruments-info?category=spot")).body
    listed = {one["symbol"]: one for one in reply["result"]["list"]}
    pair = listed["ETHBTC"]
    assert (pair["baseCoin"], pair["quoteCoin"], pair["status"]) == ("ETH", "BTC", "Trading")
    assert [name for name, one in listed.items() if one["status"] != "Trading"] == ["LUNAUSD"]
    book = (await get(f"{base}/orderbook?category=spot&symbol=ETHBTC&limit=20")).body["result"]
    state = last_state(simulator, "bybit")
    assert (book["seq"], book["b"]) == (state.venue_seq, texts(state.bids[:20]))
    for query in ("symbol=X", "symbol=ETHBTC&limit=1001", "symbol=ETHBTC&limit=x"):
        refused = await get(f"{base}/orderbook?category=spot&{query}")
        assert (refused.status, refused.body["retCode"]) == (200, 10001)
    assert (await get(f"{base}/orderbook?category=linear&symbol=ETHBTC")).body["retCode"] == 10001
