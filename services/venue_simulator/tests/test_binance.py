"""Binance's rules, each seen by a client over a real socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from venue_client import Wire, dial, eventually, get, last_state, texts
from venue_simulator.simulator import Simulator
from venue_simulator.venue import HangUp
from venue_simulator.venues.binance.session import BinanceSession
from websockets.exceptions import InvalidStatus

SECOND_NS = 1_000_000_000


def combined(simulator: Simulator) -> AbstractAsyncContextManager[Wire]:
    return dial(simulator.ws_url("binance") + "/stream")


async def subscribe(wire: Wire, *names: str) -> None:
    answer = await wire.ask({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    assert answer == {"result": None, "id": 1}


async def assert_quiet(wire: Wire) -> None:
    answer = await wire.ask({"method": "LIST_SUBSCRIPTIONS", "id": 99})
    assert answer.get("id") == 99, answer


@pytest.mark.parametrize("depth", [5, 10, 20])
async def test_a_partial_book_is_the_whole_top(simulator: Simulator, depth: int) -> None:
    async with combined(simulator) as wire:
        await subscribe(wire, f"ethbtc@depth{depth}@100ms")
        simulator.step()
        message = await wire.hear()
    state = last_state(simulator, "binance")
    assert message == {
        "stream": f"ethbtc@depth{depth}@100ms",
        "data": {
            "lastUpdateId": state.venue_seq,
            "bids": texts(state.bids[:depth]),
            "asks": texts(state.asks[:depth]),
        },
    }


async def test_the_first_frame_is_the_next_change(simulator: Simulator) -> None:
    async with combined(simulator) as wire:
        await subscribe(wire, "ethbtc@depth20@100ms")
        await assert_quiet(wire)
        simulator.step()
        assert (await wire.hear())["stream"] == "ethbtc@depth20@100ms"


async def test_diffs_chain_and_rebuild_the_book(simulator: Simulator) -> None:
    before = last_state(simulator, "binance")
    sides = {"b": dict(before.bids), "a": dict(before.asks)}
    async with combined(simulator) as wire:
        await subscribe(wire, "ethbtc@depth@100ms")
        last_id = before.venue_seq
        for _ in range(200):
            simulator.step()
            diff = (await wire.hear())["data"]
            assert (diff["e"], diff["s"], diff["U"]) == ("depthUpdate", "ETHBTC", last_id + 1)
            last_id = diff["u"]
            for side, levels in sides.items():
                for price, amount in diff[side]:
                    if amount == "0.00000000":
                        levels.pop(price, None)
                    else:
                        levels[price] = amount
    state = last_state(simulator, "binance")
    assert last_id == state.venue_seq
    assert sides == {"b": dict(state.bids), "a": dict(state.asks)}


async def test_the_book_ticker_has_the_same_counter(simulator: Simulator) -> None:
    async with combined(simulator) as wire:
        await subscribe(wire, "ethbtc@bookTicker")
        simulator.step(20)
        ticker = (await wire.hear())["data"]
    states = {state.venue_seq: state for state in simulator.truth.states["binance", "ETH-BTC"]}
    state = states[ticker["u"]]
    assert (ticker["b"], ticker["B"]) == state.bids[0]
    assert (ticker["a"], ticker["A"]) == state.asks[0]


async def test_streams_in_the_url(simulator: Simulator) -> None:
    url = simulator.ws_url("binance")
    async with dial(f"{url}/stream?streams=ethbtc@depth5/btcusd@depth5") as wire:
        await eventually(lambda: len(simulator.subscriptions("binance")) == 2, "subscribed")
        simulator.step()
        heard = {(await wire.hear())["stream"], (await wire.hear())["stream"]}
    assert heard == {"ethbtc@depth5", "btcusd@depth5"}


async def test_a_raw_stream_has_no_wrapper_until_it_is_asked_for(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("binance") + "/ws/ethbtc@depth5") as wire:
        await eventually(lambda: bool(simulator.subscriptions("binance")), "subscribed")
        simulator.step()
        assert set(await wire.hear()) == {"lastUpdateId", "bids", "asks"}
        await wire.ask({"method": "SET_PROPERTY", "params": ["combined", True], "id": 5})
        simulator.step()
        assert (await wire.hear())["stream"] == "ethbtc@depth5"


async def test_subscriptions_are_listed_and_end(simulator: Simulator) -> None:
    async with combined(simulator) as wire:
        await subscribe(wire, "ethbtc@depth5", "btcusd@depth5")
        listed = await wire.ask({"method": "LIST_SUBSCRIPTIONS", "id": "a"})
        assert listed == {"result": ["ethbtc@depth5", "btcusd@depth5"], "id": "a"}
        ended = await wire.ask({"method": "UNSUBSCRIBE", "params": ["ethbtc@depth5"], "id": None})
        assert ended == {"result": None, "id": None}
        assert simulator.subscriptions("binance") == {"BTC-USD": 1}
        simulator.step()
        assert (await wire.hear())["stream"] == "btcusd@depth5"


@pytest.mark.parametrize(
    "name", ["nopenope@depth20@100ms", "ETHBTC@depth20", "ethbtc@depht", "lunausd@depth5"]
)
async def test_an_unknown_stream_is_acknowledged_and_silent(
    simulator: Simulator, name: str
) -> None:
    async with combined(simulator) as wire:
        await subscribe(wire, name)
        simulator.step(3)
        await assert_quiet(wire)


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ('{"method":"SHOUT","id":7}', {"code": 2, "id": 7}),
        ('{"method":"SUBSCRIBE","id":7}', {"code": 2, "id": 7}),
        ('{"method":["x"],"id":7}', {"code": 2, "id": 7}),
        ('{"method":"SET_PROPERTY","params":["loud",true],"id":7}', {"code": 0, "id": 7}),
        ("[]", {"code": 2}),
        ("hello", {"code": 3}),
    ],
)
async def test_nonsense_gets_an_error(
    simulator: Simulator, frame: str, error: dict[str, int]
) -> None:
    async with combined(simulator) as wire:
        await wire.socket.send(frame)
        answer = await wire.hear()
    del answer["msg"]
    assert answer == error


async def test_more_than_five_messages_a_second_are_cut(simulator: Simulator) -> None:
    async with combined(simulator) as wire:
        for number in range(6):
            await wire.say({"method": "LIST_SUBSCRIPTIONS", "id": number})
        assert await wire.closed() == 1008


async def test_pings_count_as_messages(simulator: Simulator) -> None:
    async with combined(simulator) as wire:
        for _ in range(6):
            await wire.socket.ping()
        assert await wire.closed() == 1008


def test_five_messages_a_second_are_allowed_for_ever() -> None:
    session = BinanceSession("/stream")
    frame = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'
    for number in range(100):
        actions = session.receive(frame, number * SECOND_NS // 5)
        assert not any(isinstance(action, HangUp) for action in actions)


def test_the_1025th_stream_is_refused() -> None:
    session = BinanceSession("/stream")
    names = ",".join(f'"s{number}@depth5"' for number in range(1024))
    accepted = session.receive(f'{{"method":"SUBSCRIBE","params":[{names}],"id":1}}'.encode(), 0)
    assert len(accepted) == 1025
    (refusal,) = session.receive(b'{"method":"SUBSCRIBE","params":["x@depth5"],"id":2}', 0)
    assert '"code":2' in str(refusal)


async def test_a_closing_is_announced(simulator: Simulator) -> None:
    async with combined(simulator) as wire:
        await assert_quiet(wire)
        simulator.faults.inject("binance", "announced_close", seconds=0.01)
        message = await wire.hear()
        assert message["stream"] == "!serverShutdown"
        assert message["data"]["e"] == "serverShutdown"
        assert await wire.closed() == 1001


async def test_no_other_path_has_a_socket(simulator: Simulator) -> None:
    with pytest.raises(InvalidStatus, match="404"):
        async with dial(simulator.ws_url("binance") + "/v2"):
            pass


async def test_instruments_are_listed(simulator: Simulator) -> None:
    reply = await get(simulator.rest_url("binance") + "/api/v3/exchangeInfo")
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "20"
    symbols = {symbol["symbol"]: symbol for symbol in reply.body["symbols"]}
    ethbtc = symbols["ETHBTC"]
    assert (ethbtc["baseAsset"], ethbtc["quoteAsset"], ethbtc["status"]) == (
        "ETH",
        "BTC",
        "TRADING",
    )
    assert ethbtc["filters"][0]["tickSize"] == "0.00001000"
    assert symbols["LUNAUSD"]["status"] == "BREAK"
    assert "BNBBTC" in symbols
    assert "XMRUSD" not in symbols


async def test_depth_is_the_book_at_an_id(simulator: Simulator) -> None:
    reply = await get(simulator.rest_url("binance") + "/api/v3/depth?symbol=ETHBTC&limit=7")
    state = last_state(simulator, "binance")
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "5"
    assert reply.body == {
        "lastUpdateId": state.venue_seq,
        "bids": texts(state.bids[:7]),
        "asks": texts(state.asks[:7]),
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [("", -1102), ("?symbol=NOPE", -1121), ("?symbol=ETHBTC&limit=x", -1100)],
)
async def test_a_bad_depth_request_says_why(simulator: Simulator, query: str, code: int) -> None:
    reply = await get(simulator.rest_url("binance") + "/api/v3/depth" + query)
    assert (reply.status, reply.body["code"]) == (400, code)


async def test_a_paced_stream_sends_the_newest_state_by_its_clock(
    simulate: Callable[..., Awaitable[Simulator]],
) -> None:
    simulator = await simulate(venues=("binance",), paced=True)
    async with combined(simulator) as wire:
        await subscribe(wire, "ethbtc@depth20@100ms", "ethbtc@depth@100ms", "ethbtc@bookTicker")
        before = last_state(simulator, "binance")
        simulator.step(20)
        after = last_state(simulator, "binance")
        said = [await wire.hear() for _ in range(2)]
        while not said[-1]["stream"].endswith("@depth@100ms"):
            said.append(await wire.hear())
    changes = said.pop()["data"]
    assert (changes["U"], changes["u"]) == (before.venue_seq + 1, after.venue_seq)
    assert said.pop()["data"]["lastUpdateId"] == after.venue_seq
    # Best prices wait for nothing: each of their changes came before.
    assert {one["stream"] for one in said} == {"ethbtc@bookTicker"}
    assert said[-1]["data"]["b"] == after.bids[0][0]
    assert len(said) > 1
