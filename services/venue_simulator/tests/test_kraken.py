"""Kraken's rules, each seen by a client over a real socket."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from venue_client import Message, Wire, dial, get, last_state
from venue_simulator.book import Levels
from venue_simulator.simulator import Simulator
from venue_simulator.venues.kraken.frames import checksum

GUIDE_ASKS: Levels = (
    ("45285.2", "0.00100000"),
    ("45286.4", "1.54571953"),
    ("45286.6", "1.54571109"),
    ("45289.6", "1.54560911"),
    ("45290.2", "0.15890660"),
    ("45291.8", "1.54553491"),
    ("45294.7", "0.04454749"),
    ("45296.1", "0.35380000"),
    ("45297.5", "0.09945542"),
    ("45299.5", "0.18772827"),
)
GUIDE_BIDS: Levels = (
    ("45283.5", "0.10000000"),
    ("45283.4", "1.54582015"),
    ("45282.1", "0.10000000"),
    ("45281.0", "0.10000000"),
    ("45280.3", "1.54592586"),
    ("45279.0", "0.07990000"),
    ("45277.6", "0.03310103"),
    ("45277.5", "0.30000000"),
    ("45277.3", "1.54602737"),
    ("45276.6", "0.15445238"),
)


def request(method: str, *symbols: str, depth: int = 10, **more: object) -> dict[str, object]:
    params = {"channel": "book", "symbol": list(symbols), "depth": depth, **more}
    return {"method": method, "params": params, "req_id": 1}


@asynccontextmanager
async def connected(simulator: Simulator) -> AsyncIterator[Wire]:
    """Connect, and get over the status that comes first."""
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        status = await wire.hear()
        assert (status["channel"], status["data"][0]["system"]) == ("status", "online")
        yield wire


async def assert_quiet(wire: Wire) -> None:
    answer = await wire.ask({"method": "ping", "req_id": 9})
    assert (answer["method"], answer["req_id"], answer["success"]) == ("pong", 9, True)


class Mirror:
    """A client's book: the sheet's rules and no more, sharing no code with the simulator."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.time_us = 0
        self.deletes: list[str] = []

    def apply(self, message: Message) -> None:
        (data,) = message["data"]
        if message["type"] == "snapshot":
            self.bids, self.asks = {}, {}
        for levels, changes in ((self.bids, data["bids"]), (self.asks, data["asks"])):
            for change in changes:
                levels.pop(change["price"], None)
                if float(change["qty"]):
                    levels[change["price"]] = change["qty"]
                else:
                    self.deletes.append(change["price"])
        self.bids = dict(self.side(self.bids, -1))
        self.asks = dict(self.side(self.asks, 1))
        assert self.checksum() == data["checksum"]
        at = datetime.fromisoformat(data["timestamp"])
        self.time_us = int(at.timestamp()) * 1_000_000 + at.microsecond

    def side(self, levels: dict[str, str], sign: int) -> list[tuple[str, str]]:
        return sorted(levels.items(), key=lambda level: sign * float(level[0]))[: self.depth]

    def checksum(self) -> int:
        text = ""
        for level in (*self.side(self.asks, 1)[:10], *self.side(self.bids, -1)[:10]):
            for number in level:
                text += number.replace(".", "").lstrip("0")
        return zlib.crc32(text.encode())


def test_the_guide_s_checksum() -> None:
    assert checksum(GUIDE_BIDS, GUIDE_ASKS) == 3310070434


@pytest.mark.parametrize("depth", [10, 25, 100])
async def test_what_a_client_rebuilds_is_the_truth(simulator: Simulator, depth: int) -> None:
    mirror = Mirror(depth)
    states = simulator.truth.states["kraken", "ETH-BTC"]
    async with connected(simulator) as wire:
        ack = await wire.ask(request("subscribe", "ETH/BTC", depth=depth))
        assert ack["result"]["depth"] == depth
        mirror.apply(await wire.hear())
        known = {state.venue_seq: state for state in states}
        for _ in range(150):
            simulator.step()
            await wire.say({"method": "ping"})
            message = await wire.hear()
            while message.get("method") != "pong":
                mirror.apply(message)
                assert mirror.time_us == states[-1].venue_seq
                message = await wire.hear()
            known[states[-1].venue_seq] = states[-1]
            state = known[mirror.time_us]
            assert tuple(mirror.bids.items()) == state.bids[:depth]
            assert tuple(mirror.asks.items()) == state.asks[:depth]
            # What the window does not show may have changed since, and nothing else.
            assert states[-1].bids[:depth] == state.bids[:depth]
    assert mirror.deletes


async def test_a_level_pushed_out_of_the_window_is_not_deleted(simulator: Simulator) -> None:
    mirror, pushed_out = Mirror(10), 0
    async with connected(simulator) as wire:
        await wire.ask(request("subscribe", "BTC/USD"))
        mirror.apply(await wire.hear())
        for _ in range(200):
            before = set(mirror.bids)
            mirror.deletes.clear()
            simulator.step()
            await wire.say({"method": "ping"})
            message = await wire.hear()
            while message.get("method") != "pong":
                mirror.apply(message)
                message = await wire.hear()
            book = dict(last_state(simulator, "kraken", "BTC-USD").bids)
            pushed = {price for price in before - set(mirror.bids) if price in book}
            pushed_out += len(pushed)
            assert not pushed & set(mirror.deletes)
    assert pushed_out


async def test_one_answer_per_symbol(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        await wire.say(request("subscribe", "ETH/BTC", "NOPE/USD", "BTC/USD"))
        answers = [await wire.hear() for _ in range(5)]
    acks = [each["result"]["symbol"] for each in answers if each.get("success") is True]
    books = [each["data"][0]["symbol"] for each in answers if each.get("channel") == "book"]
    (error,) = [each for each in answers if each.get("success") is False]
    assert acks == books == ["ETH/BTC", "BTC/USD"]
    assert (error["symbol"], error["method"], error["req_id"]) == ("NOPE/USD", "subscribe", 1)
    assert error["error"] == "Currency pair not supported NOPE/USD"


async def test_subscribers_of_different_depths_do_not_meet(simulator: Simulator) -> None:
    small, large = Mirror(10), Mirror(25)
    async with connected(simulator) as one, connected(simulator) as other:
        await one.ask(request("subscribe", "ETH/BTC", depth=10))
        await other.ask(request("subscribe", "ETH/BTC", depth=25))
        small.apply(await one.hear())
        large.apply(await other.hear())
        assert (len(small.bids), len(large.bids)) == (10, 25)
        assert simulator.subscriptions("kraken") == {"ETH-BTC": 2}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (request("subscribe", "ETH/BTC", depth=20), "Subscription depth not supported"),
        (request("subscribe"), "Symbol(s) missing"),
        (request("unsubscribe", "ETH/BTC"), "Subscription Not Found"),
        ({"method": "subscribe", "params": {"channel": "level9"}}, "Channel not supported"),
        ({"method": "shout"}, "Method not supported"),
        ({"method": 5}, "Malformed request"),
        ("hello", "Malformed request"),
    ],
)
async def test_a_bad_request_is_refused(simulator: Simulator, message: object, error: str) -> None:
    async with connected(simulator) as wire:
        answer = await wire.ask(message)
        assert (answer["success"], answer["error"]) == (False, error)
        await assert_quiet(wire)


async def test_twice_the_same_is_refused_and_unsubscribing_ends_it(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        await wire.ask(request("subscribe", "ETH/BTC"))
        await wire.hear()
        again = await wire.ask(request("subscribe", "ETH/BTC"))
        assert again["error"] == "Already subscribed"
        ended = await wire.ask(request("unsubscribe", "ETH/BTC"))
        assert (ended["success"], ended["result"]["symbol"]) == (True, "ETH/BTC")
        simulator.step(5)
        await assert_quiet(wire)
        await wire.ask(request("subscribe", "ETH/BTC"))
        assert (await wire.hear())["type"] == "snapshot"


async def test_no_snapshot_where_none_is_wanted(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        await wire.ask(request("subscribe", "ETH/BTC", snapshot=False))
        await assert_quiet(wire)
        simulator.step(20)
        assert (await wire.hear())["type"] == "update"


async def test_a_heartbeat_when_nothing_else_is_sent(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        await wire.ask(request("subscribe", "ETH/BTC"))
        await wire.hear()
        assert await wire.frame() == '{"channel":"heartbeat"}'


async def test_instruments_on_their_channel(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        ack = await wire.ask({"method": "subscribe", "params": {"channel": "instrument"}})
        assert ack["success"] is True
        message = await wire.hear()
    pairs = {pair["symbol"]: pair for pair in message["data"]["pairs"]}
    assert pairs["ETH/BTC"]["status"] == "online"
    assert (pairs["ETH/BTC"]["price_precision"], pairs["ETH/BTC"]["qty_precision"]) == (5, 8)
    assert pairs["LUNA/USD"]["status"] == "cancel_only"
    assert "XMR/USD" in pairs
    assert "BNB/BTC" not in pairs


async def test_a_closing_is_announced_as_maintenance(simulator: Simulator) -> None:
    async with connected(simulator) as wire:
        simulator.faults.inject("kraken", "announced_close", seconds=0.01)
        assert (await wire.hear())["data"][0]["system"] == "maintenance"
        assert await wire.closed() == 1001


async def test_rest_uses_the_old_names(simulator: Simulator) -> None:
    pairs = (await get(simulator.rest_url("kraken") + "/0/public/AssetPairs")).body["result"]
    assert pairs["XXBTZUSD"]["wsname"] == "XBT/USD"
    assert pairs["XDGZUSD" if "XDGZUSD" in pairs else "XXDGZUSD"]["wsname"] == "XDG/USD"
    depth = await get(simulator.rest_url("kraken") + "/0/public/Depth?pair=XBTUSD&count=3")
    asks = depth.body["result"]["XXBTZUSD"]["asks"]
    state = last_state(simulator, "kraken", "BTC-USD")
    rounded = [(price, f"{float(amount):.3f}") for price, amount in state.asks[:3]]
    assert [tuple(level[:2]) for level in asks] == rounded


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("Depth?pair=NOPE", "EQuery:Unknown asset pair"),
        ("Depth?pair=XBTUSD&count=x", "EGeneral:Invalid arguments:count"),
        ("Shout", "EGeneral:Unknown method"),
    ],
)
async def test_a_bad_rest_request_says_why(simulator: Simulator, path: str, error: str) -> None:
    reply = await get(f"{simulator.rest_url('kraken')}/0/public/{path}")
    assert (reply.status, reply.body["error"]) == (200, [error])
