"""From a venue's socket to the bus, with everything real but the venue."""

from __future__ import annotations

import http
import json
import socket
from pathlib import Path

import pytest
from dragonfly_common.codec import unpack_markets
from dragonfly_common.messages import ListedMarket
from dragonfly_common.types import FeedState
from dragonfly_venues.venue import AuditSources, InstrumentSource
from fake_venue import FakeServer, FakeVenue, eventually, listing
from feed_listener import directory, listener
from listening import SkippingClock, listening
from msgspec.structs import replace

SYNCING = FeedState.SYNCING
LIVE = FeedState.LIVE
STALE = FeedState.STALE
DOWN = FeedState.DOWN
UNKNOWN = FeedState.UNKNOWN
HALTED = FeedState.HALTED


async def test_interest_becomes_a_subscription_and_its_book_comes_back(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 5, 10.0, ts=123)
    async with listening(server, tmp_path) as consumer:
        consumer.want("ETH-BTC")
        book = await consumer.live("ETH-BTC", 5)
        assert book.bids == ((9.0, 1.0), (8.0, 2.0))
        assert book.asks == ((11.0, 1.0), (12.0, 2.0))
        assert (book.reason, book.ts_event) == ("", 123)
        assert book.ts_recv > 0
        assert server.asked("sub") == [["ethbtc"]]


async def test_configured_instruments_need_no_interest(server: FakeServer, tmp_path: Path) -> None:
    async with listening(server, tmp_path, instruments=["ETH-BTC", "BTC-USD"]):
        await eventually(lambda: bool(server.asked("sub")), "a subscription")
        assert sorted(server.asked("sub")[0]) == ["btcusd", "ethbtc"]


async def test_only_changes_are_published(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        for seq in range(2, 6):
            await server.book("ethbtc", seq, 10.0)
        await server.book("ethbtc", 6, 11.0)
        await consumer.live("ETH-BTC", 6)
        seqs = [book.venue_seq for book in consumer.of("ETH-BTC") if book.state is LIVE]
        assert seqs == [1, 6]


async def test_nobody_left_means_unsubscribed(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["BTC-USD"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        consumer.leave("ETH-BTC")
        await eventually(lambda: server.asked("unsub") == [["ethbtc"]], "the farewell")
        status = await consumer.venue(lambda v: v.instruments == 1, "with one instrument")
        assert status.connections == 1
        await server.book("ethbtc", 2, 11.0)
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 2)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, SYNCING, LIVE]


async def test_interest_that_returns_within_the_linger_keeps_it(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, linger_s=60.0) as consumer:
        consumer.want("ETH-BTC")
        first = await consumer.live("ETH-BTC", 1)
        consumer.leave("ETH-BTC")
        consumer.want("ETH-BTC")
        await server.book("ethbtc", 2, 11.0)
        assert (await consumer.live("ETH-BTC", 2)).feed_epoch == first.feed_epoch
        assert server.asked("unsub") == []


async def test_an_unlisted_instrument_is_unknown(server: FakeServer, tmp_path: Path) -> None:
    async with listening(server, tmp_path) as consumer:
        consumer.want("XYZ-ABC")
        book = await consumer.state("XYZ-ABC", UNKNOWN)
        assert book.reason == "fake does not list XYZ-ABC"
        assert not server.connections


async def test_an_instrument_listed_later_is_found(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "LEAST_REFRESH_S", 0.05)
    await server.book("xyzabc", 1, 10.0)
    async with listening(server, tmp_path) as consumer:
        await eventually(lambda: bool(consumer.lists), "the list")
        server.listed["XYZ-ABC"] = "xyzabc"
        consumer.want("XYZ-ABC")
        await consumer.live("XYZ-ABC", 1)
        assert consumer.lists[-1].names == ("BTC-USD", "ETH-BTC", "SOL-USD", "XYZ-ABC")


async def test_a_list_is_told_with_its_markets_and_again_when_one_is_halted(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LIST_REPEAT_S", 0.0)
    server.halted = {"solusd": "BREAK"}
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        first = consumer.lists[-1]
        assert list(unpack_markets(first)) == [
            ("BTC-USD", ListedMarket("btcusd", False, "", None, None, None, None)),
            ("ETH-BTC", ListedMarket("ethbtc", False, "", None, None, None, None)),
            ("SOL-USD", ListedMarket("solusd", True, "BREAK", None, None, None, None)),
        ]
        await server.send({"t": "trading", "s": "ethbtc", "halted": True, "word": "cancel_only"})
        await eventually(lambda: consumer.lists[-1] != first, "the halt")
        halted = dict(unpack_markets(consumer.lists[-1]))["ETH-BTC"]
        assert (halted.halted, halted.word) == (True, "cancel_only")
        # It is no newer list: who waits for the venue's next one waits on.
        assert consumer.lists[-1].ts_listed == first.ts_listed > 0


async def test_a_list_that_is_too_long_to_tell_of_is_told_by_name(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_MARKETS_BYTES", 20)
    async with listening(server, tmp_path) as consumer:
        await eventually(lambda: bool(consumer.lists), "the list")
        told = consumer.lists[-1]
        assert (told.names, told.markets) == (("BTC-USD", "ETH-BTC", "SOL-USD"), b"")


async def test_a_delisted_instrument_becomes_unknown(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "LEAST_REFRESH_S", 0.05)
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        del server.listed["ETH-BTC"]
        consumer.want("NEW-ONE")
        await consumer.state("ETH-BTC", UNKNOWN)
        await eventually(lambda: server.asked("unsub") == [["ethbtc"]], "the farewell")


async def test_a_list_that_cannot_be_had_is_down_and_retried(
    server: FakeServer, tmp_path: Path
) -> None:
    server.list_status = http.HTTPStatus.BAD_GATEWAY
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path) as consumer:
        consumer.want("ETH-BTC")
        book = await consumer.state("ETH-BTC", DOWN)
        assert "instrument list of fake cannot be read" in book.reason
        assert "HTTP 502" in book.reason
        assert (await consumer.venue(lambda v: v.state is DOWN, "DOWN")).connections == 0
        server.list_status = http.HTTPStatus.OK
        await consumer.live("ETH-BTC", 1)


async def test_a_frozen_process_trusts_nothing_that_it_holds(
    server: FakeServer, tmp_path: Path
) -> None:
    clock = SkippingClock()
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, clock=clock, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)
        clock.skipped_s = 60.0
        await consumer.saying("ETH-BTC", "stood still for 60.")
        await consumer.book(
            "ETH-BTC", lambda book: book.feed_epoch > before.feed_epoch, "of a new epoch"
        )
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, STALE, DOWN, SYNCING, LIVE]
        assert server.opened == 2


async def test_the_venue_says_how_it_is(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path) as consumer:
        idle = await consumer.venue(lambda v: v.state is LIVE, "LIVE")
        assert (idle.reason, idle.connections) == ("no instrument was asked for", 0)
        assert consumer.lists[-1].names == ("BTC-USD", "ETH-BTC", "SOL-USD")
        consumer.want("ETH-BTC")
        busy = await consumer.venue(lambda v: v.instruments_live == 1, "with a live instrument")
        assert (busy.listener, busy.connections, busy.instruments) == (
            f"listener@{socket.gethostname()}",
            1,
            1,
        )
        (feed,) = busy.feeds
        assert (feed.instrument, feed.state) == ("ETH-BTC", LIVE)
        assert 0 < idle.since <= feed.since <= busy.since


async def test_a_venue_is_told_again_when_its_books_were_audited(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "AUDITS_INTERVAL_S", 0.05)
    await server.book("ethbtc", 1, 10.0)
    venue = FakeVenue(audits=AuditSources(checksum=True))
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        live = await consumer.venue(lambda v: v.instruments_live == 1, "with a live instrument")
        await server.book("ethbtc", 2, 10.0)
        audited = await consumer.venue(lambda v: any(f.audited_at for f in v.feeds), "audited")
        assert replace(audited, feeds=live.feeds) == live
        assert audited.feeds[0].agreed


async def test_foreign_subscriptions_are_ignored(server: FakeServer, tmp_path: Path) -> None:
    async with listening(server, tmp_path) as consumer:
        consumer.want("not an instrument")
        consumer.want("ETH-BTC")
        await consumer.venue(lambda v: v.connections == 1, "connected")
        assert consumer.venues[-1].instruments == 1


PARTS = listing(rest_path="/list", part_path=lambda names: f"/list/{','.join(names)}")


async def test_who_was_refused_while_its_market_was_halted_is_asked_for_when_it_trades(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    server.halted, server.refuses = {"ethbtc": "suspend"}, {"ethbtc"}
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.state("ETH-BTC", HALTED)
        await eventually(lambda: server.asked("sub") == [["ethbtc"]], "asked, and refused")
        server.refuses = set()
        await server.send({"t": "trading", "s": "ethbtc", "halted": False, "word": ""})
        await consumer.live("ETH-BTC", 1)


@pytest.mark.parametrize("instruments", [None, PARTS])
async def test_a_market_that_is_halted_leaves_the_book_and_comes_back(
    server: FakeServer, tmp_path: Path, instruments: InstrumentSource | None
) -> None:
    venue = FakeVenue(instruments=instruments)
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 10.0)
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC", "BTC-USD"], list_interval_s=0.02
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        server.halted = {"ethbtc": "BREAK"}
        halted = await consumer.state("ETH-BTC", HALTED)
        assert halted.reason == "fake has halted ETH-BTC: BREAK"
        assert (halted.bids, halted.asks) == ((), ())
        # What the venue sends meanwhile is not shown, and is what stands afterwards.
        await server.book("ethbtc", 2, 11.0)
        await server.book("btcusd", 2, 11.0)
        await consumer.live("BTC-USD", 2)
        server.halted = {}
        await consumer.live("ETH-BTC", 2)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, HALTED, SYNCING, LIVE]
        assert consumer.states("BTC-USD") == [SYNCING, LIVE]


async def test_a_market_that_is_halted_when_it_is_asked_for_says_so(
    server: FakeServer, tmp_path: Path
) -> None:
    server.halted = {"ethbtc": "BREAK"}
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, list_interval_s=0.02) as consumer:
        consumer.want("ETH-BTC")
        await consumer.state("ETH-BTC", HALTED)
        status = await consumer.venue(lambda v: v.state is HALTED, "HALTED")
        assert status.reason == "fake has halted ETH-BTC: BREAK"
        server.halted = {}
        await consumer.live("ETH-BTC", 1)
        await consumer.venue(lambda v: v.state is LIVE and not v.reason, "LIVE")
        assert LIVE not in consumer.states("ETH-BTC")[:-1]


async def test_a_halt_that_a_connection_tells_is_heard_at_once(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await server.send({"t": "trading", "s": "ethbtc", "halted": True, "word": "cancel_only"})
        assert (await consumer.state("ETH-BTC", HALTED)).reason.endswith("ETH-BTC: cancel_only")
        await server.send({"t": "trading", "s": "ethbtc", "halted": False, "word": ""})
        await consumer.live("ETH-BTC", 1)
        assert len(server.lists_asked) == 1


async def test_a_venue_that_halts_takes_all_its_books_out(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await server.send({"t": "trading", "s": None, "halted": True, "word": "maintenance"})
        halted = await consumer.state("ETH-BTC", HALTED)
        assert halted.reason == "fake has halted trading: maintenance"
        status = await consumer.venue(lambda v: v.state is HALTED, "HALTED")
        assert status.reason == halted.reason
        server.refuses = {"btcusd"}
        consumer.want("BTC-USD")
        assert (await consumer.state("BTC-USD", HALTED)).reason == halted.reason
        await eventually(lambda: ["btcusd"] in server.asked("sub"), "asked, and refused")
        server.refuses = set()
        await server.send({"t": "trading", "s": None, "halted": False, "word": ""})
        await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        await consumer.venue(lambda v: v.state is LIVE and not v.reason, "LIVE")


async def test_a_halt_of_the_venue_is_over_with_the_connection_that_told_of_it(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await server.send({"t": "trading", "s": None, "halted": True, "word": "maintenance"})
        await consumer.state("ETH-BTC", HALTED)
        server.open[0].transport.abort()
        await consumer.live("ETH-BTC", 1)
        assert consumer.states("ETH-BTC")[:4] == [SYNCING, LIVE, HALTED, SYNCING]


async def test_an_old_word_that_the_venue_is_halted_is_asked_for_on_a_new_connection(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server, tmp_path, instruments=["ETH-BTC"], list_interval_s=0.05
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        for _ in range(2):
            await server.send({"t": "trading", "s": None, "halted": True, "word": "maintenance"})
            await consumer.state("ETH-BTC", HALTED)
        await consumer.live("ETH-BTC", 1)
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, HALTED, SYNCING, LIVE]


async def test_a_restriction_leaves_the_book_and_is_told(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await server.send({"t": "trading", "s": None, "halted": False, "word": "post_only"})
        said = "fake restricts trading: post_only"
        told = await consumer.book("ETH-BTC", lambda book: book.reason == said, said)
        assert (told.state, told.bids) == (LIVE, ((9.0, 1.0), (8.0, 2.0)))
        await consumer.venue(lambda v: v.state is LIVE and v.reason == said, said)
        await server.book("ethbtc", 2, 11.0)
        assert (await consumer.live("ETH-BTC", 2)).reason == said
        await server.send({"t": "trading", "s": None, "halted": False, "word": ""})
        await consumer.book("ETH-BTC", lambda book: not book.reason, "without a reason")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_a_wish_for_what_nobody_lists_makes_the_list_be_read_and_told_again(
    server: FakeServer, tmp_path: Path
) -> None:
    told = FakeVenue(instruments=listing(rest_path="/list", changes_told=True))
    async with listening(server, tmp_path, list_interval_s=0.02, venue=told) as consumer:
        await eventually(lambda: bool(consumer.lists), "the list")
        consumer.want_relist()
        await eventually(lambda: len(consumer.lists) >= 3, "the list again")
        server.listed["NEW-USD"] = "newusd"
        await eventually(lambda: "NEW-USD" in consumer.lists[-1].names, "what is new")


async def test_a_configured_instrument_that_is_not_listed_is_said_once_with_what_was_meant(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "fake does not list XBT-USD: did you mean BTC-USD?"
    async with listening(
        server, tmp_path, instruments=["XBT-USD"], list_interval_s=0.01
    ) as consumer:
        consumer.want("XBT-USD")
        assert (await consumer.state("XBT-USD", UNKNOWN)).reason == sentence
        await eventually(lambda: len(consumer.lists) >= 3, "the list again")
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    told = [line for line in lines if line["event"] == "instrument not listed"]
    assert [(line["level"], line["reason"]) for line in told] == [("warning", sentence)]
