"""Holds books against the venue's own, over REST, one after the other within its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.types import FeedState

from feed_listener import counters
from feed_listener.audits import Result
from feed_listener.client import ClientError
from feed_listener.feeds import Feed, Feeds
from feed_listener.venue import FrameError, SnapshotSource, Top

__all__ = ["Snapshots"]

logger = structlog.get_logger()


class Snapshots:
    """Audits every live feed once in an interval, or as often as the venue's limit allows."""

    def __init__(
        self,
        feeds: Feeds,
        source: SnapshotSource,
        fetch: Callable[[str, int], Awaitable[bytes]],
        depth: int,
        interval_s: float,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """`fetch` returns the reply to a path of the venue's HTTP API, of so many bytes at most;
        `random` returns [0, 1)."""
        self._feeds = feeds
        self._source = source
        self._fetch = fetch
        self._depth = depth
        self._interval_s = interval_s
        self._clock = clock
        self._random = random
        self._due: dict[str, float] = {}
        """By instrument."""
        self._failure = ""

    async def run(self) -> None:
        """Audit until cancelled."""
        while True:
            await asyncio.sleep(60.0 / self._source.per_minute)
            feed = self._next(self._clock.monotonic())
            if feed is not None:
                await self._audit(feed)

    def _next(self, now: float) -> Feed | None:
        """Return the feed that has been due for longest, if one is."""
        live = [feed for feed in self._feeds if feed.state is FeedState.LIVE]
        # Not all at once after a start.
        self._due = {
            feed.instrument: self._due.get(feed.instrument, now + self._interval_s * self._random())
            for feed in live
        }
        first = min(live, key=lambda feed: self._due[feed.instrument], default=None)
        return first if first is not None and self._due[first.instrument] <= now else None

    async def _audit(self, feed: Feed) -> None:
        symbol, source = feed.symbol, feed.source
        if symbol is None or source is None:
            return
        self._due[feed.instrument] = self._clock.monotonic() + self._interval_s
        try:
            result = await source.audit(symbol, partial(self._snapshot, symbol))
        except FrameError as error:
            self._fail(f"the reply is no book ({error})")
        except ClientError as error:
            self._fail(str(error))
            await asyncio.sleep(error.retry_after_s)
        else:
            self._failure = ""
            if result is Result.DISAGREED:
                # Whether it is so again is soon known.
                self._due[feed.instrument] = 0.0

    async def _snapshot(self, symbol: str) -> Top:
        reply = await self._fetch(self._source.path(symbol), self._source.max_reply_bytes)
        return self._source.parse(reply, symbol, self._depth)

    def _fail(self, reason: str) -> None:
        counters.SNAPSHOT_FAILURES.inc()
        if reason != self._failure:
            logger.warning("snapshot failed", reason=reason)
            self._failure = reason
