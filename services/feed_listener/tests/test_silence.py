"""Feeds whose streams say nothing on connections that live, held against REST at once."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import msgspec
import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.venue import SnapshotSource
from fake_venue import CALM, FakeServer, FakeVenue, book_around, eventually
from feed_listener import rhythm, snapshots
from feed_listener.connection import auditor, liveness
from listening import Consumer, SkippingClock, listening
from prometheus_client import REGISTRY
from test_snapshots import parse

SYNCING, LIVE = FeedState.SYNCING, FeedState.LIVE
SNAPSHOTS = SnapshotSource(path=lambda symbol: f"/book/{symbol}", parse=parse, per_minute=60_000.0)
FRAMES = 4 * rhythm.LOOK_EVERY


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(auditor, "UNDER_WAY_S", 0.05)


async def has_rhythm(server: FakeServer, consumer: Consumer) -> None:
    """Send so many books that the listener knows how often they come."""
    await server.book("ethbtc", 1, 10.0)
    consumer.want("ETH-BTC")
    await consumer.live("ETH-BTC", 1)
    for seq in range(2, FRAMES):
        await server.book("ethbtc", seq, 10.0 + seq)
    await consumer.live("ETH-BTC", FRAMES - 1)


def judged(result: str) -> float:
    labels = {"audit": "silence", "result": result, "venue": "fake"}
    return REGISTRY.get_sample_value("dragonfly_listener_audits_total", labels) or 0.0


def has_judged(result: str, count: float) -> bool:
    return judged(result) == count


async def test_a_stream_that_dies_leaves_the_book_and_is_subscribed_anew(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(snapshots=SNAPSHOTS)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        await has_rhythm(server, consumer)
        disagreed = judged("disagreed")
        server.snapshots["ethbtc"] = book_around(12.0, "ethbtc", FRAMES + 9)
        broken = await consumer.saying("ETH-BTC", "resyncing: silent (bid 1 of the book at")
        assert (broken.state, broken.bids) == (SYNCING, ())
        await eventually(lambda: server.asked("unsub") == [["ethbtc"]], "left")
        assert server.snapshots_asked == ["ethbtc", "ethbtc"]
        assert judged("disagreed") == disagreed + 1
        del server.snapshots["ethbtc"]
        await consumer.live("ETH-BTC", FRAMES - 1)


async def test_a_market_that_rests_is_not_resubscribed_in_an_hour(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "FROZEN_S", math.inf)
    clock = SkippingClock()
    patient = msgspec.structs.replace(CALM, stale_after_s=1e9, reconnect_after_s=1e9)
    venue = FakeVenue(snapshots=SNAPSHOTS, liveness=patient)
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC"], clock=clock
    ) as consumer:
        await has_rhythm(server, consumer)
        # It moved out of what is shown: REST counts on, and shows the same.
        server.snapshots["ethbtc"] = book_around(10.0 + FRAMES - 1, "ethbtc", FRAMES + 9)
        while clock.skipped_s < 3600.0:
            answers = judged("agreed") + 1
            clock.skipped_s = 3.0 * clock.skipped_s or 1.0
            await eventually(partial(has_judged, "agreed", answers), "an answer")
        assert len(server.snapshots_asked) <= 13
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        assert server.asked("unsub") == []
        assert (await consumer.book("ETH-BTC", lambda book: book.score == 1.0, "score")).score == 1


async def test_a_frame_that_comes_meanwhile_ends_the_question(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(snapshots=SNAPSHOTS)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        await has_rhythm(server, consumer)
        disagreed = judged("disagreed")
        server.snapshots["ethbtc"] = book_around(12.0, "ethbtc", FRAMES + 9)
        server.may_answer.clear()
        await eventually(lambda: server.snapshots_asked == ["ethbtc"], "a question")
        await server.book("ethbtc", FRAMES, 11.0)
        await consumer.live("ETH-BTC", FRAMES)
        server.snapshots.clear()
        server.may_answer.set()
        await eventually(lambda: len(server.snapshots_asked) == 2, "the next silence")
        assert judged("disagreed") == disagreed
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_a_reply_that_is_older_says_nothing(server: FakeServer, tmp_path: Path) -> None:
    venue = FakeVenue(snapshots=SNAPSHOTS)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        await has_rhythm(server, consumer)
        server.snapshots["ethbtc"] = book_around(12.0, "ethbtc", 3)
        await eventually(lambda: len(server.snapshots_asked) == 3, "a third question")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


async def test_rest_that_has_no_book_is_asked_ever_more_seldom(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(snapshots=SNAPSHOTS)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        await has_rhythm(server, consumer)
        server.snapshots["ethbtc"] = "<html>"
        await eventually(lambda: len(server.snapshots_asked) == 2, "a second question")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]


UNNUMBERED = msgspec.structs.replace(SNAPSHOTS, cached_s=0.05)


def priced(bid: float, amount: float = 0.5) -> dict[str, object]:
    """Return a book without a number, of one level a side."""
    return book_around(bid + 1.0, "ethbtc", 0) | {"b": [[bid, amount]], "a": [[bid + 2, amount]]}


async def test_prices_alone_judge_a_silent_feed_where_rest_has_no_numbers(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(snapshots=UNNUMBERED)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        server.snapshots["ethbtc"] = priced(FRAMES + 8.0)
        await has_rhythm(server, consumer)
        agreed, disagreed = judged("agreed"), judged("disagreed")
        await eventually(lambda: judged("agreed") > agreed, "an answer")
        assert consumer.states("ETH-BTC") == [SYNCING, LIVE]
        server.snapshots["ethbtc"] = priced(11.0)
        broken = await consumer.saying("ETH-BTC", "resyncing: silent (bid 1 of the book at")
        assert (broken.state, broken.bids) == (SYNCING, ())
        assert judged("disagreed") == disagreed + 1


async def test_rest_without_numbers_gives_no_first_book_and_no_audit(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(snapshots=UNNUMBERED)
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC"], audit_interval_s=0.01
    ) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: server.asked("sub") == [["ethbtc"]], "subscribed")
        await has_rhythm(server, consumer)
        agreed = judged("agreed")
        await eventually(lambda: judged("agreed") > agreed, "an answer to a question")
        assert len(server.snapshots_asked) == judged("agreed") - agreed
