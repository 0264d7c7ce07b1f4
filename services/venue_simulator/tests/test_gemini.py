"""Gemini's protocol, as its documents have it."""

from __future__ import annotations

import pytest
from dialects import dialled
from venue_client import Message, Wire, dial, get, last_state, texts
from venue_simulator.faults import FaultKind
from venue_simulator.simulator import Simulator
from websockets.exceptions import InvalidStatus


def asked(*params: str, method: str = "subscribe") -> Message:
    return {"id": 9, "method": method, "params": [*params]}


def is_ack(message: Message) -> bool:
    return message == {"id": 9, "status": 200}


async def test_the_whole_book_comes_before_the_acknowledgement_then_changes(
    simulator: Simulator,
) -> None:
    async with dialled(simulator, "gemini") as wire:
        book = await wire.ask(asked("ETHBTC@depth@100ms"))
        assert book["e"] == "depthUpdate"
        state = last_state(simulator, "gemini")
        assert book["U"] == book["u"] == state.venue_seq
        assert book["E"] == state.ts_ns
        assert (book["b"], book["a"]) == (texts(state.bids), texts(state.asks))
        assert is_ack(await wire.hear())
        sides, last, strides = {side: dict(book[side]) for side in "ba"}, book["u"], set()
        simulator.step(30)
        for _ in range(30):
            update = await wire.hear()
            assert update["U"] == last, "ranges overlap by one number"
            strides.add(update["u"] - last)
            last = update["u"]
            for side in "ba":
                sides[side] |= dict(update[side])
    state = last_state(simulator, "gemini")
    assert last == state.venue_seq
    assert len(strides) > 1, "the numbers are of the whole venue"
    kept = {price: amount for price, amount in sides["a"].items() if float(amount)}
    assert kept == dict(state.asks)


@pytest.mark.parametrize(("snapshot", "levels"), [("?snapshot=3", 3), ("?snapshot=0", 0), ("", 0)])
async def test_a_connection_says_how_much_of_a_book_it_begins_with(
    simulator: Simulator, snapshot: str, levels: int
) -> None:
    async with dial(simulator.ws_url("gemini") + f"/{snapshot}") as wire:
        await wire.say(asked("ethbtc@depth"))
        if levels:
            book = await wire.hear()
            assert len(book["b"]) == len(book["a"]) == levels
        assert is_ack(await wire.hear())
        simulator.step()
        update = await wire.hear()
        assert update["U"] < update["u"]


async def test_nothing_else_is_a_snapshot(simulator: Simulator) -> None:
    with pytest.raises(InvalidStatus):
        async with dial(simulator.ws_url("gemini") + "/?snapshot=all"):
            pass


@pytest.mark.parametrize("depth", [5, 10, 20])
async def test_whole_tops_and_best_prices_count_alike(simulator: Simulator, depth: int) -> None:
    async with dialled(simulator, "gemini") as wire:
        first = await wire.ask(asked(f"ethbtc@depth{depth}@100ms", "ethbtc@bookTicker"))
        state = last_state(simulator, "gemini")
        assert first == {
            "lastUpdateId": state.venue_seq,
            "symbol": "ethbtc",
            "bids": texts(state.bids[:depth]),
            "asks": texts(state.asks[:depth]),
        }
        assert is_ack(await wire.hear())
        simulator.step(20)
        tops: dict[int, list[str]] = {}
        bests: dict[int, list[str]] = {}
        while len(tops) < 20:
            message = await wire.hear()
            if "lastUpdateId" in message:
                tops[message["lastUpdateId"]] = [*message["bids"][0], *message["asks"][0]]
            else:
                assert "e" not in message
                bests[message["u"]] = [message[name] for name in "bBaA"]
    shared = tops.keys() & bests.keys()
    assert shared
    assert all(tops[number] == bests[number] for number in shared)


@pytest.mark.parametrize("name", ["nopeusd@depth", "ethbtc@depth50", "ethbtc@dance", "ethbtc"])
async def test_one_bad_stream_refuses_the_whole_request(simulator: Simulator, name: str) -> None:
    async with dialled(simulator, "gemini") as wire:
        answer = await wire.ask(asked("btcusd@depth", name))
        error = {"code": -1013, "msg": f"Invalid stream name: {name}"}
        assert answer == {"id": 9, "status": 400, "error": error}
        simulator.step()
        listed = await wire.ask(asked(method="list_subscriptions"))
    assert listed == {"id": 9, "status": 200, "result": []}


@pytest.mark.parametrize(
    ("request_", "code"),
    [(asked("x", method="dance"), -1020), (asked(), -1013), ([1], -1013), ("what?", -1013)],
)
async def test_mistakes_get_a_code(simulator: Simulator, request_: object, code: int) -> None:
    async with dialled(simulator, "gemini") as wire:
        answer = await wire.ask(request_)
    assert (answer["status"], answer["error"]["code"]) == (400, code)


async def leave(wire: Wire, name: str) -> None:
    await wire.say(asked(name, method="UNSUBSCRIBE"))
    assert is_ack(await wire.hear())


async def test_each_subscription_begins_anew(simulator: Simulator) -> None:
    async with dialled(simulator, "gemini") as wire:
        for _ in range(2):
            book = await wire.ask(asked("ethbtc@depth@100ms"))
            assert book["U"] == book["u"]
            assert is_ack(await wire.hear())
            await leave(wire, "ethbtc@depth@100ms")
            simulator.step()
            assert is_ack(await wire.ask(asked(method="ping")))


async def test_rest_lists_and_gives_books(simulator: Simulator) -> None:
    base = f"{simulator.rest_url('gemini')}/v1"
    assert "ethbtc" in (await get(f"{base}/symbols")).body
    listed = (await get(f"{base}/symbols/details/all")).body
    (pair,) = [one for one in listed if one["symbol"] == "ETHBTC"]
    assert (pair["base_currency"], pair["quote_currency"]) == ("ETH", "BTC")
    assert (pair["quote_increment"], pair["tick_size"]) == (1e-5, 1e-3)
    assert (await get(f"{base}/symbols/details/ethbtc")).body == pair
    assert [one["symbol"] for one in listed if one["status"] == "closed"] == ["LUNAUSD"]
    with simulator.during("gemini", FaultKind.POST_ONLY, "ETH-BTC"):
        assert (await get(f"{base}/symbols/details/ethbtc")).body["status"] == "post_only"
    book = (await get(f"{base}/book/ethbtc?limit_bids=3&limit_asks=0")).body
    assert len(book["bids"]) == 3
    state = last_state(simulator, "gemini")
    assert [[one["price"], one["amount"]] for one in book["asks"]] == texts(state.asks)
    unknown = await get(f"{base}/book/nopeusd")
    assert (unknown.status, unknown.body["reason"]) == (400, "InvalidSymbol")
