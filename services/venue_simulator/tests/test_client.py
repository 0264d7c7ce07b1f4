"""What a venue does for its connections while nothing happens: pings, heartbeats, expulsions."""

from __future__ import annotations

import asyncio
import re

import pytest
from patience import patiently
from venue_client import dial, eventually
from venue_simulator.simulator import Simulator
from venue_simulator.venue import Action, KeepaliveRules, Later, Send
from venue_simulator.venues.binance import FakeBinance
from venue_simulator.venues.binance.session import BinanceSession
from venue_simulator.venues.kraken import FakeKraken

HANDSHAKE = (
    b"GET /binance/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PING_OF_13_BYTES = b"\x89\x0d"


async def read_until_cut(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    async with patiently():
        while True:
            try:
                heard += await reader.readexactly(1)
            except ConnectionResetError:
                return heard


async def test_a_ping_is_the_time_and_who_answers_none_is_cut(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = KeepaliveRules(ping_interval_s=0.01, pong_timeout_s=0.05)
    monkeypatch.setattr(FakeBinance, "liveness", impatient)
    reader, writer = await asyncio.open_connection(simulator.address.host, simulator.address.port)
    writer.write(HANDSHAKE)
    _, _, payload = (await read_until_cut(reader)).partition(PING_OF_13_BYTES)
    assert re.match(rb"1\d{12}", payload)
    await eventually(lambda: not simulator.clients("binance"), "the client gone")
    writer.close()


async def test_who_answers_pings_stays(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = KeepaliveRules(ping_interval_s=0.01, pong_timeout_s=0.05)
    monkeypatch.setattr(FakeBinance, "liveness", impatient)
    pongs: list[int] = []

    def count(session: BinanceSession, now_ns: int) -> list[Action]:
        pongs.append(now_ns)
        return []

    monkeypatch.setattr(BinanceSession, "receive_control", count)
    async with dial(simulator.ws_url("binance") + "/ws") as wire:
        await eventually(lambda: len(pongs) > 20, "many pongs")
        assert (await wire.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1}))["id"] == 1


async def test_who_subscribes_to_nothing_is_sent_away(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = KeepaliveRules(heartbeat_interval_s=0.01, heartbeat="{}", idle_limit_s=0.05)
    monkeypatch.setattr(FakeKraken, "liveness", impatient)
    url = simulator.ws_url("kraken") + "/v2"
    async with dial(url) as idle, dial(url) as busy:
        await busy.hear()
        params = {"channel": "book", "symbol": ["ETH/BTC"]}
        await busy.ask({"method": "subscribe", "params": params})
        await busy.hear()
        assert (await idle.hear())["channel"] == "status"
        assert await idle.closed() == 1000
        assert await busy.hear() == {}


async def test_what_is_put_off_happens_by_the_clock_and_ends_with_the_client(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beat(now_ns: int) -> list[Action]:
        return [Send(f'{{"at":{now_ns}}}'), Later(0.01, beat)]

    monkeypatch.setattr(BinanceSession, "open", lambda session, now_ns: [Later(0.01, beat)])
    async with dial(simulator.ws_url("binance") + "/ws") as wire:
        first, second = [(await wire.hear())["at"] for _ in range(2)]
        assert second - first >= 10_000_000
    await eventually(lambda: not simulator.clients("binance"), "the client gone")
