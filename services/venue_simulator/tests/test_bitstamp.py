"""Bitstamp's rules, each seen by a client over a real socket."""

from __future__ import annotations

from typing import cast

import pytest
from venue_client import Wire, dial, get, last_state, texts
from venue_simulator.simulator import Simulator
from venue_simulator.venue import Books, HangUp
from venue_simulator.venues.bitstamp.session import BitstampSession

HEARTBEAT = {"event": "bts:heartbeat"}


def request(event: str, channel: str) -> dict[str, object]:
    return {"event": f"bts:{event}", "data": {"channel": channel}}


async def subscribe(wire: Wire, channel: str) -> None:
    answer = await wire.ask(request("subscribe", channel))
    assert answer == {"event": "bts:subscription_succeeded", "channel": channel, "data": {}}


async def assert_quiet(wire: Wire) -> None:
    assert await wire.ask(HEARTBEAT) == {
        "event": "bts:heartbeat",
        "channel": "",
        "data": {"status": "success"},
    }


async def test_a_book_is_a_hundred_levels_with_the_next_change(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await subscribe(wire, "order_book_ethbtc")
        await assert_quiet(wire)
        simulator.step()
        message = await wire.hear()
    state = last_state(simulator, "bitstamp")
    assert message == {
        "event": "data",
        "channel": "order_book_ethbtc",
        "data": {
            "timestamp": str(state.venue_seq // 1_000_000),
            "microtimestamp": str(state.venue_seq),
            "bids": texts(state.bids[:100]),
            "asks": texts(state.asks[:100]),
        },
    }
    assert len(message["data"]["bids"]) == 100


async def test_diffs_rebuild_the_book_however_zero_is_spelt(simulator: Simulator) -> None:
    before = last_state(simulator, "bitstamp")
    sides = {"bids": dict(before.bids), "asks": dict(before.asks)}
    zeroes, times = set(), [before.venue_seq]
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await subscribe(wire, "diff_order_book_ethbtc")
        for _ in range(200):
            simulator.step()
            data = (await wire.hear())["data"]
            times.append(int(data["microtimestamp"]))
            for side, levels in sides.items():
                for price, amount in data[side]:
                    if float(amount) == 0:
                        zeroes.add(amount)
                        levels.pop(price, None)
                    else:
                        levels[price] = amount
    state = last_state(simulator, "bitstamp")
    assert sides == {"bids": dict(state.bids), "asks": dict(state.asks)}
    assert len(zeroes) > 1
    assert times == sorted(set(times))


async def test_an_unknown_pair_is_acknowledged_and_silent(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await subscribe(wire, "order_book_nopeusd")
        simulator.step(3)
        await assert_quiet(wire)


async def test_a_subscription_ends(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await subscribe(wire, "order_book_ethbtc")
        answer = await wire.ask(request("unsubscribe", "order_book_ethbtc"))
        assert answer["event"] == "bts:unsubscription_succeeded"
        assert simulator.subscriptions("bitstamp") == {}
        simulator.step()
        await assert_quiet(wire)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("{", "Incorrect JSON format."),
        ('{"event":"bts:subscribe"}', "Bad subscription string."),
        ('{"event":"bts:shout"}', "Bad subscription string."),
        ("[1]", "Bad subscription string."),
        (
            '{"event":"bts:subscribe","data":{"channel":"order_book_ETHBTC"}}',
            "Invalid channel provided.",
        ),
        (
            '{"event":"bts:subscribe","data":{"channel":"order_book_eth/btc"}}',
            "Invalid channel provided.",
        ),
        (
            '{"event":"bts:unsubscribe","data":{"channel":"book"}}',
            "Invalid channel provided.",
        ),
    ],
)
async def test_nonsense_gets_an_error_and_the_socket_stays(
    simulator: Simulator, frame: str, message: str
) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await wire.socket.send(frame)
        assert await wire.hear() == {
            "event": "bts:error",
            "channel": "",
            "data": {"code": None, "message": message},
        }
        await assert_quiet(wire)


async def test_a_frame_over_512_bytes_closes_the_socket(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await wire.say(request("subscribe", "x" * 700))
        assert await wire.closed() == 1009


def test_the_1025th_channel_closes_the_socket() -> None:
    session = BitstampSession(cast("Books", None))
    for number in range(1024):
        frame = f'{{"event":"bts:subscribe","data":{{"channel":"order_book_p{number}"}}}}'
        assert len(session.receive(frame.encode(), 0)) == 2
    (action,) = session.receive(
        b'{"event":"bts:subscribe","data":{"channel":"order_book_more"}}', 0
    )
    assert isinstance(action, HangUp)


async def test_a_closing_is_announced(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("bitstamp")) as wire:
        await assert_quiet(wire)
        simulator.faults.inject("bitstamp", "announced_close", seconds=0.01)
        assert await wire.hear() == {"event": "bts:request_reconnect", "channel": "", "data": ""}
        assert await wire.closed() == 1001


async def test_pairs_are_listed(simulator: Simulator) -> None:
    reply = await get(simulator.rest_url("bitstamp") + "/api/v2/trading-pairs-info/")
    pairs = {pair["url_symbol"]: pair for pair in reply.body}
    assert pairs["ethbtc"]["name"] == "ETH/BTC"
    assert pairs["ethbtc"]["trading"] == "Enabled"
    assert pairs["lunausd"]["trading"] == "Disabled"
    assert "galaeur" in pairs
    assert "xmrusd" not in pairs


async def test_markets_are_listed(simulator: Simulator) -> None:
    reply = await get(simulator.rest_url("bitstamp") + "/api/v2/markets/")
    markets = {market["market_symbol"]: market for market in reply.body}
    assert markets["ethbtc"]["base_currency"] == "ETH"
    assert markets["ethbtc"]["counter_currency"] == "BTC"
    assert markets["ethbtc"]["market_type"] == "SPOT"
    assert markets["lunausd"]["trading"] == "Disabled"


async def test_the_book_by_rest_is_the_whole_one(simulator: Simulator) -> None:
    reply = await get(simulator.rest_url("bitstamp") + "/api/v2/order_book/ethbtc/?group=1")
    state = last_state(simulator, "bitstamp")
    assert reply.body["microtimestamp"] == str(state.venue_seq)
    assert reply.body["bids"] == texts(state.bids)
    nothing = await get(simulator.rest_url("bitstamp") + "/api/v2/order_book/nopeusd/")
    assert nothing.status == 404
