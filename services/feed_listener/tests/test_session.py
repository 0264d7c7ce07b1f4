"""One connection through silence, nonsense, refusals and answers that stay out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from dragonfly_common.log import configure
from dragonfly_common.printable import LONGEST_SENTENCE
from dragonfly_common.types import FeedState
from fake_venue import CALM, FakeServer, FakeVenue, book_around, eventually
from feed_listener import counters
from feed_listener.connection import session
from listening import SkippingClock, listening

SYNCING = FeedState.SYNCING
LIVE = FeedState.LIVE
STALE = FeedState.STALE
DOWN = FeedState.DOWN
UNKNOWN = FeedState.UNKNOWN


async def test_a_refused_symbol_is_unknown_and_the_others_are_not(
    server: FakeServer, tmp_path: Path
) -> None:
    server.refuses = {"ethbtc"}
    await server.book("btcusd", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC", "BTC-USD"]) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        assert (await consumer.state("ETH-BTC", UNKNOWN)).reason == "fake refuses it: not supported"
        await consumer.live("BTC-USD", 1)


async def test_what_a_venue_says_moves_no_cursor_and_is_short(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b]0;mine\x07\x9b2J\u202e"
    server.refuses, server.why = {"ethbtc"}, hostile * 1000
    configure("info", "console", "listener", "i")
    await server.book("btcusd", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC", "BTC-USD"]) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        refused = await consumer.state("ETH-BTC", UNKNOWN)
        await consumer.live("BTC-USD", 1)
        await server.send('{"t": "' + hostile.encode().decode("latin-1"))
        await server.open[0].close(1012, hostile)
        closed = await consumer.saying("BTC-USD", "1012")
    for reason in (refused.reason, closed.reason, *(venue.reason for venue in consumer.venues)):
        assert reason.isprintable()
        assert len(reason) <= LONGEST_SENTENCE
    assert all(line.isprintable() for line in capsys.readouterr().err.splitlines())


async def test_a_silent_socket_is_stale_by_a_timer_and_live_again(
    server: FakeServer, tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(CALM, probe_after_s=0.1, stale_after_s=0.3)
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server, tmp_path, venue=FakeVenue(liveness=nervous), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)
        server.deafen()
        stale = await consumer.state("ETH-BTC", STALE)
        assert (stale.reason, stale.bids) == ("fake silent for 0.3 s", ())
        assert (await consumer.venue(lambda v: v.state is STALE, "STALE")).instruments_live == 0
        server.hear()
        assert await consumer.state("ETH-BTC", LIVE) == before


async def test_quiet_is_not_stale_while_pings_are_answered(
    server: FakeServer, tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(CALM, probe_after_s=0.05, stale_after_s=0.3)
    await server.book("ethbtc", 1, 10.0)
    for probes in (False, True):
        folder = tmp_path / str(probes)
        folder.mkdir()
        venue = FakeVenue(liveness=nervous, probes=probes)
        async with listening(server, folder, venue=venue, instruments=["ETH-BTC"]) as consumer:
            consumer.want("ETH-BTC")
            await consumer.live("ETH-BTC", 1)
            # Twice the limit.
            await asyncio.sleep(0.6)
            assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_a_dead_connection_is_given_up_and_replaced(
    server: FakeServer, tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(
        CALM, probe_after_s=0.1, stale_after_s=0.2, reconnect_after_s=0.4
    )
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server, tmp_path, venue=FakeVenue(liveness=nervous), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)
        server.deafen()
        await consumer.state("ETH-BTC", STALE)
        after = await consumer.state("ETH-BTC", LIVE)
        assert after.feed_epoch > before.feed_epoch
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE, STALE, DOWN, SYNCING, LIVE]
        assert server.opened == 2


async def test_a_broken_book_is_resynced_alone(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 20.0)
    venue = FakeVenue()
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        before = await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        await server.send({"t": "broken", "s": "ethbtc"})
        broken = await consumer.saying("ETH-BTC", "resyncing: checksum (1 is not 2)")
        assert (broken.state, broken.bids) == (SYNCING, ())
        await eventually(lambda: len(server.asked("sub")) == 2, "the new subscription")
        after = await consumer.state("ETH-BTC", LIVE)
        assert after.feed_epoch == before.feed_epoch
        assert server.asked("unsub") == [["ethbtc"]]
        assert server.asked("sub")[1:] == [["ethbtc"]]
        assert venue.decoders[0].forgotten == ["ethbtc"]
        assert consumer.states("BTC-USD") == [SYNCING, LIVE]
        assert server.opened == 1


async def test_a_first_book_that_stays_out_is_asked_for_anew(
    server: FakeServer, tmp_path: Path
) -> None:
    impatient = msgspec.structs.replace(CALM, first_book_timeout_s=0.1)
    async with listening(
        server, tmp_path, venue=FakeVenue(liveness=impatient), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.saying("ETH-BTC", "fake sent no book for 0.1 s; asking again")
        await eventually(lambda: len(server.asked("sub")) >= 3, "two more subscriptions")
        await server.book("ethbtc", 1, 10.0)
        await consumer.live("ETH-BTC", 1)


async def test_an_acknowledgement_that_stays_out_is_asked_for_again(
    server: FakeServer, tmp_path: Path
) -> None:
    impatient = msgspec.structs.replace(CALM, ack_timeout_s=0.1)
    server.acks = False
    async with listening(
        server, tmp_path, venue=FakeVenue(liveness=impatient), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        await consumer.saying("ETH-BTC", "fake does not acknowledge")
        server.acks = True
        await consumer.saying("ETH-BTC", "its first book is awaited")


async def test_what_waited_in_a_frozen_process_is_never_published(
    server: FakeServer, tmp_path: Path
) -> None:
    clock = SkippingClock()
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, clock=clock, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)
        clock.skipped_s = 60.0
        # It is read before the main loop has noticed anything.
        await server.book("ethbtc", 2, 11.0)
        after = await consumer.live("ETH-BTC", 2)
        assert after.feed_epoch > before.feed_epoch
        assert 2 not in [
            b.venue_seq for b in consumer.said("ETH-BTC") if b.feed_epoch < after.feed_epoch
        ]


async def test_malformed_frames_disturb_nothing(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        for _ in range(100):
            await server.send("{")
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)
        assert server.opened == 1


async def test_of_whole_books_that_come_together_the_last_is_read(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 20.0)
    venue = FakeVenue(whole_books=True)
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        before = counters.SUPERSEDED.labels("fake").count
        server.send_at_once(
            book_around(11.0, "ethbtc", 2),
            book_around(21.0, "btcusd", 2),
            "nonsense",
            book_around(12.0, "ethbtc", 3),
            book_around(13.0, "ethbtc", 4),
        )
        await consumer.live("BTC-USD", 2)
        await consumer.live("ETH-BTC", 4)
        seqs = [book.venue_seq for book in consumer.said("ETH-BTC") if book.state is LIVE]
        assert seqs == [1, 4]
        assert counters.SUPERSEDED.labels("fake").count == before + 2


async def test_a_connection_that_sends_nothing_but_nonsense_is_replaced(
    server: FakeServer, tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(CALM, stale_after_s=0.5)
    await server.book("ethbtc", 1, 10.0)
    async with listening(
        server, tmp_path, venue=FakeVenue(liveness=nervous), instruments=["ETH-BTC"]
    ) as consumer:
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)

        async def rave() -> None:
            while server.opened == 1:
                await server.send("{")
                await asyncio.sleep(0)

        raving = asyncio.create_task(rave())
        assert (await consumer.saying("ETH-BTC", "nothing but nonsense")).bids == ()
        await raving
        assert (await consumer.state("ETH-BTC", LIVE)).feed_epoch > before.feed_epoch


async def test_a_symbol_whose_frames_are_all_refused_is_resynced(
    server: FakeServer, tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(CALM, stale_after_s=0.5)
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 20.0)
    async with listening(
        server,
        tmp_path,
        venue=FakeVenue(liveness=nervous),
        instruments=["ETH-BTC", "BTC-USD"],
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)

        async def mislead() -> None:
            seq = 1
            while not server.asked("unsub"):
                seq += 1
                await server.send({"t": "unsound", "s": "ethbtc"})
                await server.book("btcusd", seq, 20.0 + seq)
                await asyncio.sleep(0)

        misleading = asyncio.create_task(mislead())
        assert (await consumer.saying("ETH-BTC", "resyncing: malformed")).bids == ()
        await misleading
        await consumer.state("ETH-BTC", LIVE)
        assert consumer.states("BTC-USD") == [SYNCING, LIVE]
        assert server.asked("unsub") == [["ethbtc"]]


async def test_a_late_frame_of_an_ended_subscription_hides_nothing(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue()
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        late = {"t": "book", "s": "btcusd", "seq": 1, "b": [[9.0, 1.0]], "a": [[11.0, 1.0]]}
        await server.send(late)
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)
        assert venue.decoders[0].forgotten == ["btcusd"]


async def test_a_connection_that_lags_is_replaced(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LATE_FOR_S", 0.2)
    clock = SkippingClock()
    await server.book("ethbtc", 1, 10.0, ts=clock.now_ns())
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        for seq in (2, 3):
            await server.book("ethbtc", seq, 10.0 + seq, ts=clock.now_ns())
        until = clock.monotonic() + 8.0
        while server.opened == 1:
            assert clock.monotonic() < until
            seq += 1
            late = clock.now_ns() - 1_500_000_000
            await server.book("ethbtc", seq, 10.0 + seq, ts=late)
            await consumer.book("ETH-BTC", lambda book: book.venue_seq >= seq, "next")  # noqa: B023 -- awaited here
        assert (await consumer.saying("ETH-BTC", "older than it was")).state is DOWN
