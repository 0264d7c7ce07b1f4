"""Connections to a venue: symbols are spread over as many as its limits take.

A managed connection outlives its sessions. When one ends, or wants a successor, the next is opened;
while both live the successor takes the symbols over one by one, and only then is the old one
closed. Bots see no gap as long as the old one lives.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog
from dragonfly_common.pace import TokenBucket
from dragonfly_venues.transport import (
    TransportError,
    UnresponsiveError,
    VenueClient,
    foreseen,
)
from dragonfly_venues.transport.backoff import Backoff

from feed_listener import counters
from feed_listener.connection.context import VenueContext
from feed_listener.connection.endpoint import Locate
from feed_listener.connection.session import Session
from feed_listener.feed_state import FeedEvent
from feed_listener.waiting import wait

__all__ = ["ConnectionPool", "Dialer", "ManagedConnection"]

HANDOVER_LIMIT_S: Final = 60.0
"""A symbol so quiet that its successor had no book for so long is taken over without."""
MOST_SESSIONS: Final = 2
LIFETIME_SPREAD: Final = 0.05
"""Connections retire up to this part of their lifetime early, so that not all do at once."""

IDLE_S: Final = 30.0
"""A connection without symbols is kept so long: bots come back."""

logger = structlog.get_logger()


class Dialer:
    """How any managed connection is opened: by one client, at one pace."""

    def __init__(
        self,
        context: VenueContext,
        client: VenueClient,
        locate: Locate,
        random: Callable[[], float],
    ) -> None:
        self.context = context
        self.random = random
        self._client = client
        self._locate = locate
        limits = context.venue.limits
        self._opened = 0
        # Most limits are of many minutes, so half a minute's worth may come at once.
        at_once = limits.connects_at_once or max(1, round(limits.connects_per_minute / 2))
        self._pace = TokenBucket(limits.connects_per_minute / 60, burst=at_once)

    async def open_session(self, on_news: Callable[[], None]) -> Session:
        """Open a connection when the venue's limit allows.

        Raises:
            TransportError: it cannot be opened.
        """
        await asyncio.sleep(self._pace.take(self.context.clock.monotonic()))
        self._opened += 1
        connection = await self._client.connect(await self._locate(self._opened))
        lifetime_s = self.context.venue.limits.connection_lifetime_s or math.inf
        return Session(
            connection,
            self.context,
            rank=self._opened,
            lifetime_s=lifetime_s * (1 - LIFETIME_SPREAD * self.random()),
            on_news=on_news,
        )


class ManagedConnection:
    """A set of symbols, and the connections that carry them."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._venue = dialer.context.venue.name
        self._feeds = dialer.context.feeds
        self._clock = dialer.context.clock
        self._backoff = Backoff(dialer.random)
        self._sessions: list[Session] = []
        self._opened_at = 0.0
        self._tried = False
        self._failure = ""
        self._reason = ""
        """The failure, and where that is long, how long until it is tried again."""
        self._logged_bug = ""
        self._retry_after_s = 0.0
        self._wake = asyncio.Event()
        self.symbols: set[str] = set()

    @property
    def connections(self) -> int:
        return len(self._sessions)

    @property
    def sessions(self) -> Sequence[Session]:
        """Its connections, the newest last."""
        return self._sessions

    def add(self, symbol: str) -> None:
        """Carry `symbol` too."""
        self.symbols.add(symbol)
        if self._failure and not self._sessions:
            self._feeds.without_source([symbol], self._reason)
        for session in self._sessions:
            session.want([symbol])

    def remove(self, symbol: str) -> None:
        """Carry `symbol` no more."""
        self.symbols.discard(symbol)
        for session in self._sessions:
            session.unwant([symbol])

    def distrust(self, error: UnresponsiveError) -> None:
        """Drop all connections and open new ones: what they hold is old."""
        for session in self._sessions:
            self._feeds.report(session, list(session.tops), FeedEvent.SILENT, str(error))
            session.give_up(error)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                if self._wants_session():
                    await self._open(group)
                else:
                    await self._news()
                self._end_replaced()

    def _wants_session(self) -> bool:
        if not self._sessions:
            return True
        return self._sessions[-1].retiring and len(self._sessions) < MOST_SESSIONS

    async def _open(self, group: asyncio.TaskGroup) -> None:
        if any(session.proven for session in self._sessions):
            self._backoff.reset()
        if self._tried:
            await wait(self._backoff.next_s(self._retry_after_s), self._clock, self._report_wait)
        self._tried = True
        self._retry_after_s = 0.0
        try:
            session = await self._dialer.open_session(self._wake.set)
        except Exception as failure:  # noqa: BLE001 - what befalls one venue ends no other
            error = foreseen(failure)
            counters.CONNECTION_FAILURES.labels(error.label, self._venue).inc()
            if str(error) != self._failure:
                logger.warning("connection failed", reason=str(error), kind=error.label)
            self._fail(error)
            return
        logger.info("connection opened", symbols=len(self.symbols))
        self._failure = ""
        self._opened_at = self._clock.monotonic()
        self._sessions.append(session)
        counters.CONNECTIONS.labels(self._venue).inc()
        session.want(self.symbols)
        group.create_task(self._serve(session))

    async def _serve(self, session: Session) -> None:
        try:
            error = await session.serve()
            counters.CONNECTION_LOSSES.labels(error.label, self._venue).inc()
            logger.info("connection ended", reason=str(error), kind=error.label)
            self._remove(session, error)
        finally:
            counters.CONNECTIONS.labels(self._venue).dec()
            await session.close()

    def _remove(self, session: Session, error: TransportError) -> None:
        if session.proven:
            self._backoff.reset()
        self._sessions.remove(session)
        successor = self._sessions[-1] if self._sessions else None
        self._feeds.on_lost(session, str(error), successor)
        if successor is None:
            self._fail(error)
        self._wake.set()

    def _fail(self, error: TransportError) -> None:
        if error.bug is not None and str(error) != self._logged_bug:
            self._logged_bug = str(error)
            logger.error("venue client failed", exc_info=error.bug)
        self._retry_after_s = error.retry_after_s
        self._failure = self._reason = str(error)
        self._report_reason()
        self._wake.set()

    def _report_wait(self, left: str) -> None:
        self._reason = f"{self._failure}; {left}" if self._failure else left
        self._report_reason()

    def _report_reason(self) -> None:
        if not self._sessions:
            self._feeds.without_source(self.symbols, self._reason)

    def _end_replaced(self) -> None:
        """End what the newest connection has replaced, or has had long enough to replace."""
        if len(self._sessions) < 2:
            return
        if self._sessions[-1].complete or self._handover_left_s() == 0.0:
            for old in self._sessions[:-1]:
                old.give_up(UnresponsiveError("replaced", "replaced by a newer connection"))

    def _handover_left_s(self) -> float:
        return max(0.0, self._opened_at + HANDOVER_LIMIT_S - self._clock.monotonic())

    async def _news(self) -> None:
        left_s = self._handover_left_s() if len(self._sessions) > 1 else 0.0
        loop = asyncio.get_running_loop()
        timer = loop.call_later(left_s, self._wake.set) if left_s > 0.0 else None
        await self._wake.wait()
        if timer is not None:
            timer.cancel()
        self._wake.clear()


class ConnectionPool:
    """All connections to one venue."""

    def __init__(self, dialer: Dialer, group: asyncio.TaskGroup) -> None:
        """Run the connections in `group`, each a task."""
        self._dialer = dialer
        self._group = group
        self._capacity = dialer.context.venue.limits.streams_per_connection
        self._tasks: dict[ManagedConnection, asyncio.Task[None]] = {}
        self._idle_since: dict[ManagedConnection, float] = {}
        self._connection_of: dict[str, ManagedConnection] = {}

    @property
    def connections(self) -> int:
        return sum(managed.connections for managed in self._tasks)

    def sessions(self) -> Iterator[Session]:
        """Yield the connections that are open."""
        for managed in self._tasks:
            yield from managed.sessions

    def add(self, symbol: str) -> None:
        """Listen to `symbol`, on the first connection that has room."""
        if symbol in self._connection_of:
            return
        room = (managed for managed in self._tasks if len(managed.symbols) < self._capacity)
        managed = next(room, None) or self._build()
        self._idle_since.pop(managed, None)
        self._connection_of[symbol] = managed
        managed.add(symbol)

    def remove(self, symbol: str) -> None:
        """Listen to `symbol` no more."""
        managed = self._connection_of.pop(symbol, None)
        if managed is None:
            return
        managed.remove(symbol)
        if not managed.symbols:
            self._idle_since[managed] = self._dialer.context.clock.monotonic()

    def ask_again(self, symbol: str) -> None:
        """Ask for a symbol that was refused as soon as may be."""
        managed = self._connection_of.get(symbol)
        for session in managed.sessions if managed is not None else ():
            session.ask_again(symbol)

    def distrust(self, error: UnresponsiveError) -> None:
        """Drop every connection and open new ones."""
        for managed in self._tasks:
            managed.distrust(error)

    def sweep(self, now: float) -> None:
        """End the connections that have had no symbol for a while."""
        idle = [managed for managed, since in self._idle_since.items() if now - since >= IDLE_S]
        for managed in idle:
            del self._idle_since[managed]
            self._tasks.pop(managed).cancel()

    def _build(self) -> ManagedConnection:
        managed = ManagedConnection(self._dialer)
        self._tasks[managed] = self._group.create_task(managed.run())
        return managed
