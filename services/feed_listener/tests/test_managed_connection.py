"""Connections that end, and the successors of those that will."""

from __future__ import annotations

import http
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from dragonfly_common.types import FeedState
from fake_venue import LIMITS, FakeDecoder, FakeServer, FakeVenue, eventually
from feed_listener.connection import pool
from listening import listening

SYNCING = FeedState.SYNCING
LIVE = FeedState.LIVE
DOWN = FeedState.DOWN


async def test_a_closed_connection_is_down_then_a_new_epoch(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)
        await server.open[0].close(1001, "restart")
        down = await consumer.saying("ETH-BTC", "closed the connection with code 1001: restart")
        assert (down.state, down.bids) == (DOWN, ())
        after = await consumer.book(
            "ETH-BTC", lambda book: book.feed_epoch > before.feed_epoch, "of a new epoch"
        )
        assert after.state is LIVE
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, DOWN, SYNCING, LIVE]


async def test_an_unreachable_venue_is_down_until_it_is_there(
    server: FakeServer, tmp_path: Path
) -> None:
    server.stream_status = http.HTTPStatus.SERVICE_UNAVAILABLE
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        assert "HTTP 503" in (await consumer.state("ETH-BTC", DOWN)).reason
        server.stream_status = None
        await consumer.live("ETH-BTC", 1)


async def test_an_announced_close_is_never_seen_by_bots(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 20.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC", "BTC-USD"]) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        before = await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        old = server.open[0]
        await server.send({"t": "closing"})
        await eventually(lambda: old not in server.open, "the old connection's end")
        await server.book("ethbtc", 2, 11.0)
        after = await consumer.live("ETH-BTC", 2)
        assert after.feed_epoch > before.feed_epoch
        for instrument in ("ETH-BTC", "BTC-USD"):
            assert consumer.states(instrument) == [SYNCING, LIVE]
        assert server.opened == 2


async def test_an_old_connection_serves_until_its_successor_has_every_book(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        server.first_books = False
        old = server.open[0]
        await server.send({"t": "closing"})
        await eventually(lambda: len(server.asked("sub")) == 2, "the successor's subscription")
        server.subscribed[server.open[1]].clear()
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)
        assert old in server.open
        server.subscribed[server.open[1]].add("ethbtc")
        await server.book("ethbtc", 3, 12.0)
        await consumer.live("ETH-BTC", 3)
        await eventually(lambda: old not in server.open, "the old connection's end")


async def test_a_quiet_symbol_does_not_hold_the_old_connection_for_ever(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "HANDOVER_LIMIT_S", 0.2)
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        server.first_books = False
        await server.send({"t": "closing"})
        book = await consumer.saying("ETH-BTC", "its first book on the new connection is awaited")
        assert book.state is SYNCING
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)


async def test_an_old_connection_is_replaced_before_the_venue_cuts_it(
    server: FakeServer, tmp_path: Path
) -> None:
    mortal = msgspec.structs.replace(LIMITS, connection_lifetime_s=0.3)
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server, tmp_path, venue=FakeVenue(limits=mortal), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await eventually(lambda: server.opened >= 3, "two successors")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        await eventually(lambda: len(server.open) <= 2, "the old ones' end")


async def test_a_private_authority_is_enough(
    tls_server: FakeServer, tmp_path: Path, pki: Path
) -> None:
    await tls_server.book("ethbtc", 1, 10.0)
    async with listening(tls_server, tmp_path, ca_file=pki / "ca.pem") as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)


async def test_a_strange_authority_is_down_and_says_so(
    tls_server: FakeServer, tmp_path: Path, pki: Path
) -> None:
    async with listening(tls_server, tmp_path, ca_file=pki / "stranger.pem") as consumer:
        consumer.want("ETH-BTC")
        assert "--ca-file" in (await consumer.state("ETH-BTC", DOWN)).reason


async def test_an_old_connection_serves_while_no_successor_can_be_had(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        old = server.open[0]
        server.stream_status = http.HTTPStatus.SERVICE_UNAVAILABLE
        await server.send({"t": "closing"})
        await eventually(lambda: server.rejected >= 3, "three attempts")
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)
        server.stream_status = None
        await eventually(lambda: old not in server.open, "the old connection's end")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_a_successor_that_dies_leaves_the_old_connection_serving(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        old = server.open[0]
        server.first_books = False
        await server.send({"t": "closing"})
        await eventually(lambda: len(server.asked("sub")) == 2, "the successor's subscription")
        await server.open[1].close()
        await eventually(lambda: len(server.asked("sub")) == 3, "another successor")
        assert old in server.open
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)
        await eventually(lambda: old not in server.open, "the old connection's end")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_a_ban_is_a_reason_with_the_time_left(server: FakeServer, tmp_path: Path) -> None:
    server.stream_status = http.HTTPStatus.IM_A_TEAPOT
    server.retry_after = str(86400 + 3600)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        book = await consumer.saying("ETH-BTC", "HTTP 418 (banned")
        book = await consumer.saying("ETH-BTC", "; tried again in 1 d 1 h 1 min")
        assert book.state is DOWN
        assert 'for asking on after it had said too many requests): "no"' in book.reason
        assert server.rejected == 1


async def test_what_nobody_foresaw_ends_its_connection_and_no_more(
    server: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)

        def break_down(*_: object) -> NoReturn:
            raise KeyError("nobody knows this name")

        with monkeypatch.context() as broken:
            broken.setattr(FakeDecoder, "decode", break_down)
            await server.send("anything")
            down = await consumer.saying("ETH-BTC", "our own fault, whose traceback is in the log")
            assert (down.state, "nobody knows this name" in down.reason) == (DOWN, True)
            await eventually(lambda: server.opened >= 2, "another connection")
        await consumer.book("ETH-BTC", lambda book: book.feed_epoch > down.feed_epoch, "again")
    said = capsys.readouterr()
    assert (said.out + said.err).count("Traceback") == 1
