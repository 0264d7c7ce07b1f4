"""A venue that is listened to by FIX: the layers above do not know by which protocol it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.binance import BinanceByFix
from fake_fix_venue import FakeFixVenue, fix_key, fix_venue
from fake_venue import FakeServer, eventually, listing
from listening import Consumer, listening


class FixUnderTest(BinanceByFix):
    """Binance by FIX, whose list is the fake server's."""

    name = "fake"
    instruments = listing()
    snapshots = None


@asynccontextmanager
async def heard(
    server: FakeServer, folder: Path, *instruments: str
) -> AsyncIterator[tuple[FakeFixVenue, Consumer]]:
    """Run a listener by FIX to a venue with a market of each instrument."""
    async with fix_venue() as venue:
        venue.market("ETHBTC", "9:1 8:2", "10:1", seq=100)
        venue.market("BTCUSD", "90:1", "100:1", seq=50)
        fix = (venue.url, fix_key(folder))
        async with listening(
            server, folder, venue=FixUnderTest(), instruments=instruments, fix=fix
        ) as consumer:
            yield venue, consumer


async def test_books_come_by_fix(server: FakeServer, tmp_path: Path) -> None:
    async with heard(server, tmp_path, "ETH-BTC", "BTC-USD") as (venue, consumer):
        for instrument in ("ETH-BTC", "BTC-USD"):
            consumer.want(instrument)
        book = await consumer.live("ETH-BTC", 100)
        assert (book.bids, book.asks) == (((9.0, 1.0), (8.0, 2.0)), ((10.0, 1.0),))
        await consumer.live("BTC-USD", 50)
        assert len(venue.peers) == 1
        venue.change("ETHBTC", bids="9:0 8.5:4")
        book = await consumer.live("ETH-BTC", 102)
        assert book.bids == ((8.5, 4.0), (8.0, 2.0))
        assert book.ts_event is not None


async def test_a_gap_breaks_one_book_which_is_subscribed_anew(
    server: FakeServer, tmp_path: Path
) -> None:
    async with heard(server, tmp_path, "ETH-BTC", "BTC-USD") as (venue, consumer):
        for instrument in ("ETH-BTC", "BTC-USD"):
            consumer.want(instrument)
        await consumer.live("ETH-BTC", 100)
        await consumer.live("BTC-USD", 50)
        venue.change("ETHBTC", bids="9:5", loses=True)
        venue.change("ETHBTC", bids="8:3")
        book = await consumer.live("ETH-BTC", 102)
        assert book.bids == ((9.0, 5.0), (8.0, 3.0))
        assert consumer.states("ETH-BTC")[-3:] == [
            FeedState.LIVE,
            FeedState.SYNCING,
            FeedState.LIVE,
        ]
        assert FeedState.SYNCING not in consumer.states("BTC-USD")[-1:]
        assert len(venue.peers) == 1
        # The old streams have ended: a request for each kind, by the names that began them.
        ended = [one[262] for one in venue.peers[0].requests if one[263] == b"2"]
        assert [name[:1] for name in ended] == [b"D", b"T"]
        assert {symbol for symbol, _ in venue.peers[0].streams.values()} == {"ETHBTC", "BTCUSD"}
        await eventually(lambda: len(venue.peers[0].streams) == 4, "both of both")


async def test_best_prices_are_shown_ahead_of_the_book(server: FakeServer, tmp_path: Path) -> None:
    async with heard(server, tmp_path, "ETH-BTC") as (venue, consumer):
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 100)
        market, peer = venue.markets["ETHBTC"], venue.peers[0]
        await eventually(lambda: len(peer.streams) == 2, "the ticker too")
        market.bids["9.5"], market.seq = "3", 101
        (ticker,) = (name for name, (_, depth) in peer.streams.items() if depth == "1")
        peer.show(ticker, [], 0)
        book = await consumer.live("ETH-BTC", 101)
        assert book.bids[:2] == ((9.5, 3.0), (9.0, 1.0))


async def test_a_refusal_is_of_its_symbol(server: FakeServer, tmp_path: Path) -> None:
    async with heard(server, tmp_path) as (venue, consumer):
        venue.refusals["ETHBTC"] = "Too many subscriptions"
        for instrument in ("ETH-BTC", "SOL-USD", "BTC-USD"):
            consumer.want(instrument)
        await consumer.live("BTC-USD", 50)
        await consumer.saying("ETH-BTC", "refuses it: Too many subscriptions (code -1191)")
        await consumer.saying("SOL-USD", "refuses it: Invalid symbol. (code -1121)")


async def test_news_of_a_close_is_followed_by_a_successor_of_another_name(
    server: FakeServer, tmp_path: Path
) -> None:
    async with heard(server, tmp_path, "ETH-BTC") as (venue, consumer):
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 100)
        (first,) = venue.peers
        first.say("B", (148, "You'll be disconnected in 600 seconds. Please reconnect."))
        await eventually(lambda: first not in venue.peers, "the first is left")
        (second,) = venue.peers
        assert first.logon is not None
        assert second.logon is not None
        assert first.logon.get(49) != second.logon.get(49)
        assert "logged out" in first.line.session.reason
        venue.change("ETHBTC", bids="9:7")
        await consumer.live("ETH-BTC", 101)
        assert set(consumer.states("ETH-BTC")[-2:]) <= {FeedState.LIVE, FeedState.SYNCING}
        assert consumer.states("ETH-BTC").count(FeedState.LIVE) == 1


async def test_a_session_that_loses_a_number_is_opened_anew(
    server: FakeServer, tmp_path: Path
) -> None:
    async with heard(server, tmp_path, "ETH-BTC") as (venue, consumer):
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 100)
        (first,) = venue.peers
        first.line.session._store.save(first.line.session._store.next_out, None)
        venue.change("ETHBTC", bids="9:7")
        await eventually(lambda: [first] != venue.peers, "another session")
        book = await consumer.live("ETH-BTC", 101)
        assert book.bids[0] == (9.0, 7.0)


async def test_a_key_that_is_refused_is_said(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fix_venue() as venue:
        fix = (venue.url, fix_key(tmp_path, api_key="wrong-key"))
        async with listening(server, tmp_path, venue=FixUnderTest(), fix=fix) as consumer:
            consumer.want("ETH-BTC")
            await consumer.saying("ETH-BTC", "refuses our logon: Invalid API-key")
    said = capsys.readouterr()
    assert "wrong-key" not in said.out + said.err
