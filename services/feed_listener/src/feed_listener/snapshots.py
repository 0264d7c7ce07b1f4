"""Whole books over REST, within one budget: first books, questions of silent feeds, and audits.

First books come before audits, those that bots asked for before those that are only configured. A
feed that is silent beyond its patience (`rhythm.py`) is held against REST at once: questions have
a part of the budget that first books do not wait for.
Trouble of one symbol (a reply that is no book, or older than what was published) puts off that
symbol; trouble of the address (unreachable, too many requests) pauses everything that asks there.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.pace import TokenBucket
from dragonfly_common.types import FeedState
from dragonfly_venues.decoding.whole_tops import OLDER_IN_A_ROW
from dragonfly_venues.events import BookTop, FrameError
from dragonfly_venues.transport import RejectedError, TransportError, foreseen
from dragonfly_venues.transport.backoff import Backoff
from dragonfly_venues.venue import SnapshotSource

from feed_listener import counters
from feed_listener.audit.comparing import Result
from feed_listener.connection.session import Session
from feed_listener.feeds import Feed, Feeds, Source
from feed_listener.seeding import FIRST_RETRY_S, Seeding, Wish
from feed_listener.waiting import SAID_EVERY_S, SAID_FROM_S, tried_again_in

__all__ = ["Demand", "Snapshots"]

AT_ONCE: Final = 10
"""First books under way together: an answer takes a tenth of a second to more than one."""
AUDIT_SHARE: Final = 0.25
"""Audits make no more of the requests than this, so that first books find the rest."""
QUESTION_SHARE: Final = 0.5
"""Questions make no more of the requests than this, nor of those at once."""
LOOK_EVERY_S: Final = 0.1
CONFIRM_S: Final = 10.0
"""A first book from REST is audited after this: the reply may have been so old, from a cache."""
SEEDED_INTERVAL_S: Final = 60.0
"""From one audit to the next of a book from REST, where no others are asked for."""
LONGEST_REST_S: Final = 3600.0
SERVED_RANK: Final = 10
"""Below all urgency: another connection serves the symbol meanwhile."""
UNKNOWN_SYMBOL: Final = frozenset({400, 404})
"""HTTP statuses that judge the symbol that was asked for, not the one who asks."""

LIVE, HALTED = FeedState.LIVE, FeedState.HALTED

logger = structlog.get_logger()


@dataclass(frozen=True)
class Demand:
    """Who asks for what, as it stands at any moment."""

    sessions: Callable[[], Iterable[Session]]
    """The connections that are open."""
    urgency_rank: Callable[[str], int]
    """Of an instrument: the lower, the sooner its first book is asked for."""
    doubt_list: Callable[[], None]
    """Called when REST has no book of a listed symbol."""


class Snapshots:
    """Asks for whole books, for first books as soon as they are missed, for audits in turn."""

    def __init__(
        self,
        feeds: Feeds,
        source: SnapshotSource,
        fetch: Callable[[str, int], Awaitable[bytes]],
        depth: int,
        audit_interval_s: float | None,
        clock: Clock,
        random: Callable[[], float],
        demand: Demand,
    ) -> None:
        """`fetch` returns the reply to a path of the venue's HTTP API, of so many bytes at most.

        Every live feed is audited once in `audit_interval_s`, or as often as the budget allows;
        None: only while it stands as REST gave it, because its stream may be none. `random` returns
        [0, 1).
        """
        self._feeds = feeds
        self._source = source
        self._fetch = fetch
        self._depth = depth
        self._audit_interval_s = audit_interval_s
        self._clock = clock
        self._random = random
        self._demand = demand
        self._pace = TokenBucket(source.per_minute / 60.0, source.burst)
        self._question_pace = TokenBucket(
            source.per_minute / 60.0 * QUESTION_SHARE, max(1.0, source.burst * QUESTION_SHARE)
        )
        self._questioned: set[Feed] = set()
        self._seeding = Seeding(self._rank, random)
        self._backoff = Backoff(random, FIRST_RETRY_S)
        self._paused_until = 0.0
        self._wake = asyncio.Event()
        self._due: dict[str, float] = {}
        """When each live instrument is audited."""
        self._failure = ""

    def wake(self) -> None:
        """Look who waits: something may have changed."""
        self._wake.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._source.cached_s is None:
                group.create_task(self._audit_all(self._audit_interval_s or SEEDED_INTERVAL_S))
            group.create_task(self._question_all(group))
            while True:
                now = self._clock.monotonic()
                await self._rest(min(self._begin_seeds(group, now), self._report_pause(now)))

    def _begin_seeds(self, group: asyncio.TaskGroup, now: float) -> float:
        """Ask for the first books whose turn it is; return seconds until it is the next one's."""
        while self._seeding.under_way < AT_ONCE:
            wish, due_s = self._seeding.choose(self._wishes(), now)
            if wish is None:
                return due_s
            if (wait_s := self._wait_s(now)) > 0.0:
                return wait_s
            self._pace.take(now)
            self._seeding.begin(wish)
            group.create_task(self._seed(wish))
        return math.inf  # until one of them has ended

    async def _rest(self, due_s: float) -> None:
        timer = asyncio.get_running_loop().call_later(min(due_s, LONGEST_REST_S), self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()

    def _wishes(self) -> list[Wish]:
        if self._source.cached_s is not None:
            return []  # its books are nobody's first
        return [
            Wish(session, symbol, since)
            for session in self._demand.sessions()
            for symbol, since in session.unbooked().items()
            if (feed := self._feeds.of(symbol)) is not None and feed.state is not HALTED
        ]

    def _rank(self, symbol: str) -> int:
        feed = self._feeds.of(symbol)
        if feed is None or feed.state is LIVE:
            return SERVED_RANK
        return self._demand.urgency_rank(feed.instrument)

    def _wait_s(self, now: float) -> float:
        """Return seconds until the venue may be asked."""
        return max(self._pace.wait_s(now), self._paused_until - now)

    async def _seed(self, wish: Wish) -> None:
        try:
            self._take(wish, await self._snapshot(wish.symbol, self._source.levels or self._depth))
        except Exception as error:  # noqa: BLE001 - what befalls one venue ends no other
            self._fail(error, wish.symbol)
        finally:
            self._seeding.end(wish)
            self._wake.set()

    def _take(self, wish: Wish, book: BookTop) -> None:
        self._succeed()
        if not wish.stands():
            return  # a frame came first, or nobody wants it any more
        now, feed = self._clock.monotonic(), self._feeds.of(wish.symbol)
        if (
            feed is not None
            # What changes go on from is joined with those that came since.
            and self._source.levels is None
            and book.venue_seq < feed.venue_seq
            # Where each reply is older, the venue counts anew.
            and self._seeding.put_off(wish.symbol, now) < OLDER_IN_A_ROW
        ):
            wish.connection.report_unbooked(wish.symbol, "its book is older than what was shown")
            return
        wish.connection.seed(book)
        if wish.stands():
            self._seeding.put_off(wish.symbol, now)
            wish.connection.report_unbooked(wish.symbol, "its book does not join what is sent")
            return
        counters.SEEDS.labels(self._feeds.venue).inc()
        if feed is not None:
            self._due[feed.instrument] = now + CONFIRM_S

    async def _audit_all(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(60.0 / (self._source.per_minute * AUDIT_SHARE))
            now = self._clock.monotonic()
            feed = self._next(now, interval_s)
            first_books_wait = self._seeding.choose(self._wishes(), now)[0] is not None
            if feed is not None and not first_books_wait and self._wait_s(now) <= 0.0:
                self._pace.take(now)
                self._due[feed.instrument] = now + interval_s
                await self._audit(feed)

    def _next(self, now: float, interval_s: float) -> Feed | None:
        """Return the feed that has been due for longest, if one is."""
        live = [feed for feed in self._feeds if feed.state is LIVE and self._is_audited(feed)]
        # Not all at once after a start.
        self._due = {
            feed.instrument: self._due.get(feed.instrument, now + interval_s * self._random())
            for feed in live
        }
        first = min(live, key=lambda feed: self._due[feed.instrument], default=None)
        return first if first is not None and self._due[first.instrument] <= now else None

    def _is_audited(self, feed: Feed) -> bool:
        if self._audit_interval_s is not None:
            return True
        source, symbol = feed.source, feed.symbol
        return source is not None and symbol is not None and source.seeded(symbol)

    async def _audit(self, feed: Feed) -> None:
        symbol, source = feed.symbol, feed.source
        if symbol is None or source is None:
            return
        try:
            result = await source.audit(symbol, partial(self._snapshot, symbol, self._depth))
        except Exception as error:  # noqa: BLE001 - what befalls one venue ends no other
            self._fail(error, symbol)
        else:
            self._succeed()
            if result is Result.DISAGREED:
                # Whether it is so again is soon known.
                self._due[feed.instrument] = 0.0

    async def _question_all(self, group: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = self._clock.monotonic()
            for feed in self._feeds.silent(now):
                source = feed.source
                if feed in self._questioned or source is None or not source.trusted:
                    continue
                if max(self._wait_s(now), self._question_pace.wait_s(now)) > 0.0:
                    break
                self._take_turn(now)
                self._questioned.add(feed)
                group.create_task(self._question(feed, source))

    def _take_turn(self, now: float) -> float:
        """Spend a request on a question; return seconds until it may be made."""
        return max(self._pace.take(now), self._question_pace.take(now))

    async def _question(self, feed: Feed, source: Source) -> None:
        symbol, paid = feed.symbol or "", True

        async def ask() -> BookTop:
            nonlocal paid
            if not paid:
                await asyncio.sleep(self._take_turn(self._clock.monotonic()))
            paid = False
            return await self._snapshot(symbol, self._depth)

        try:
            await source.question(feed, ask)
        except Exception as error:  # noqa: BLE001 - what befalls one venue ends no other
            self._fail(error, symbol)
            feed.rhythm.rested(self._clock.monotonic())
        else:
            self._succeed()
        finally:
            self._questioned.discard(feed)

    async def _snapshot(self, symbol: str, depth: int) -> BookTop:
        reply = await self._fetch(self._source.path(symbol), self._source.max_reply_bytes)
        return self._source.parse(reply, symbol, depth)

    def _succeed(self) -> None:
        self._failure = ""
        self._backoff.reset()

    def _fail(self, failure: Exception, symbol: str) -> None:
        """Put off the symbol or everybody, whomever the failure is about, and say why."""
        counters.SNAPSHOT_FAILURES.labels(self._feeds.venue).inc()
        now = self._clock.monotonic()
        error = failure if isinstance(failure, FrameError) else foreseen(failure)
        bug = error.bug if isinstance(error, TransportError) else None
        reason = f"the reply is no book ({error})" if isinstance(error, FrameError) else str(error)
        # What is said of all symbols names none of them.
        reason = reason.replace(self._source.path(symbol), "")
        if reason != self._failure:
            logger.warning("snapshot failed", reason=reason, exc_info=bug)
            self._failure = reason
        concerned = self._wishes()
        if isinstance(error, FrameError) or _judges_symbol(error):
            self._seeding.put_off(symbol, now)
            self._demand.doubt_list()
            concerned = [wish for wish in concerned if wish.symbol == symbol]
        else:
            self._pause(error, now)
        for wish in concerned:
            wish.connection.report_unbooked(wish.symbol, reason)

    def _pause(self, error: TransportError, now: float) -> None:
        # Of requests that fail together one makes the next pause longer.
        first = now >= self._paused_until
        pause_s = self._backoff.next_s(error.retry_after_s) if first else error.retry_after_s
        self._paused_until = max(self._paused_until, now + pause_s)

    def _report_pause(self, now: float) -> float:
        """Say of a long pause when it is over; return seconds until that is said anew."""
        left_s = self._paused_until - now
        if left_s < SAID_FROM_S:
            return math.inf
        for wish in self._wishes():
            reason = f"{self._failure}; {tried_again_in(left_s)}"
            wish.connection.report_unbooked(wish.symbol, reason)
        return SAID_EVERY_S


def _judges_symbol(error: TransportError) -> bool:
    return isinstance(error, RejectedError) and error.status in UNKNOWN_SYMBOL
