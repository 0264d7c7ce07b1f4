"""KuCoin's protocol, as its documents have it."""

from __future__ import annotations

import pytest
from dialects import dialled, socket_url
from venue_client import Message, Wire, dial, get, last_state, texts
from venue_simulator.simulator import Simulator
from venue_simulator.venues.kucoin import FakeKucoin
from websockets.exceptions import InvalidStatus


def level2(symbols: str = "ETH-BTC", kind: str = "subscribe", **more: object) -> Message:
    return {"id": "9", "type": kind, "topic": f"/market/level2:{symbols}", "response": True, **more}


async def followed(wire: Wire) -> None:
    assert (await wire.hear())["type"] == "welcome"
    assert await wire.ask(level2()) == {"id": "9", "type": "ack"}


async def test_without_a_token_no_socket_opens(simulator: Simulator) -> None:
    url = await socket_url(simulator, "kucoin")
    with pytest.raises(InvalidStatus):
        async with dial(url.replace("token=", "token=x")):
            pass


async def test_the_venue_speaks_first_and_repeats_the_id(simulator: Simulator) -> None:
    async with dialled(simulator, "kucoin") as wire:
        assert await wire.hear() == {"id": "7", "type": "welcome"}


async def test_changes_join_each_other_and_the_book_that_rest_gives(simulator: Simulator) -> None:
    async with dialled(simulator, "kucoin") as wire:
        await followed(wire)
        url = f"{simulator.rest_url('kucoin')}/api/v1/market/orderbook/level2_100?symbol=ETH-BTC"
        seed = (await get(url)).body["data"]
        sides = {name: dict(map(tuple, seed[name])) for name in ("bids", "asks")}
        last = int(seed["sequence"])
        simulator.step(30)
        empty = 0
        for _ in range(30):
            data = (await wire.hear())["data"]
            assert data["sequenceStart"] == last + 1
            last = data["sequenceEnd"]
            for name, side in sides.items():
                for price, amount, number in data["changes"][name]:
                    assert data["sequenceStart"] <= int(number) <= last
                    empty += price == "0"
                    side[price] = amount
    state = last_state(simulator, "kucoin")
    assert last == state.venue_seq
    bids = sorted(
        ((p, a) for p, a in sides["bids"].items() if float(a)), key=lambda x: -float(x[0])
    )
    assert [list(level) for level in bids[:20]] == texts(state.bids[:20])
    assert empty, "some changes have no level"


async def test_it_acknowledges_only_where_it_is_asked_to(simulator: Simulator) -> None:
    async with dialled(simulator, "kucoin") as wire:
        await wire.hear()
        await wire.say(level2(response=False))
        answer = await wire.ask({"id": "5", "type": "ping"})
    assert (answer["id"], answer["type"]) == ("5", "pong")


async def test_an_unknown_symbol_is_acknowledged_and_silent(simulator: Simulator) -> None:
    async with dialled(simulator, "kucoin") as wire:
        await wire.hear()
        assert (await wire.ask(level2("AAA-BBB")))["type"] == "ack"
        simulator.step()
        assert (await wire.ask({"id": "5", "type": "ping"}))["type"] == "pong"


async def test_an_unknown_topic_is_an_error(simulator: Simulator) -> None:
    async with dialled(simulator, "kucoin") as wire:
        await wire.hear()
        answer = await wire.ask({"id": "9", "type": "subscribe", "topic": "/market/dance:ETH-BTC"})
    assert (answer["type"], answer["code"]) == ("error", 404)


async def test_who_sends_no_ping_is_hung_up_on_also_while_data_flows(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeKucoin, "liveness", type(FakeKucoin.liveness)(keepalive_limit_s=0.05))
    async with dialled(simulator, "kucoin") as wire:
        await wire.hear()
        await wire.say(level2())
        simulator.step()
        assert await wire.closed() == 1000


async def test_rest_lists_what_trades(simulator: Simulator) -> None:
    reply = (await get(f"{simulator.rest_url('kucoin')}/api/v2/symbols")).body
    (pair,) = [one for one in reply["data"] if one["symbol"] == "ETH-BTC"]
    assert (pair["baseCurrency"], pair["quoteCurrency"]) == ("ETH", "BTC")
    assert [one["symbol"] for one in reply["data"] if not one["enableTrading"]] == ["LUNA-USD"]
