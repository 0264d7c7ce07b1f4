"""Symbols over several connections."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from fake_venue import LIMITS, FakeServer, FakeVenue, eventually
from feed_listener.connection import pool
from listening import listening


async def test_an_idle_connection_ends(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE_S", 0.0)
    async with listening(server, tmp_path) as consumer:
        consumer.want("ETH-BTC")
        await consumer.venue(lambda v: v.connections == 1, "connected")
        consumer.leave("ETH-BTC")
        await consumer.venue(lambda v: v.connections == 0, "without a connection")
        await eventually(lambda: not server.open, "its end")


async def test_more_symbols_than_a_connection_takes_go_over_several(
    server: FakeServer, tmp_path: Path
) -> None:
    narrow = msgspec.structs.replace(LIMITS, streams_per_connection=2)
    for symbol in server.listed.values():
        await server.book(symbol, 1, 10.0)
    async with listening(
        server, tmp_path, venue=FakeVenue(limits=narrow), instruments=list(server.listed)
    ) as consumer:
        for instrument in server.listed:
            consumer.want(instrument)
            await consumer.live(instrument, 1)
        status = await consumer.venue(lambda v: v.instruments_live == 3, "all LIVE")
        assert status.connections == 2
        assert sorted(len(symbols) for symbols in server.subscribed.values()) == [1, 2]
