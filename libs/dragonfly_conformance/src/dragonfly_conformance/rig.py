"""A listener and the fake venue that it listens to, in one loop, and a judge of each book."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from operator import lt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from dragonfly_common.assignment import Assignment
from dragonfly_common.bus import Publisher, Subscriber, drive
from dragonfly_common.clock import SteadyClock
from dragonfly_common.errors import ConfigError
from dragonfly_common.messages import Body, Book
from dragonfly_common.replicas import ReplicaGroup
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.topics import book_interest, parse_book_topic
from dragonfly_common.types import FeedState, Side
from dragonfly_venues.registry import WEBSOCKET, find_venue
from dragonfly_venues.transport import ClientOptions, build_client, fetch, read_fix_key, trusted
from dragonfly_venues.venue import Venue
from feed_listener.connection.endpoint import locator
from feed_listener.instrument_list import fetcher
from feed_listener.listener import Following, Listener
from venue_simulator.book import BookState, Levels, TextLevel
from venue_simulator.faults import FaultKind
from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import Simulator, running_simulator
from venue_simulator.truth import Truth
from venue_simulator.venues import VENUES as FAKES

__all__ = ["DEPTH", "INSTRUMENTS", "Rig", "Violation", "open_rig"]

INSTRUMENTS: Final = ("BTC-USD", "ETH-BTC")
"""Move from the start."""
DEPTH: Final = 10

PATIENCE_S: Final = 60.0
"""Awaited frames may take so long on a slow machine: speed is no case."""
POLL_S: Final = 0.005
STEP_S: Final = 0.1
FASTER: Final = 20.0
"""The venue's clocks run so many times faster here, and its budgets refill so much sooner."""


class Violation(Exception):  # noqa: N818 -- a judge's word
    """A venue did not do what every venue must; the message says what was seen."""


class Judge:
    """Holds each published book against the truth that it names."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._known: dict[str, dict[int, BookState]] = {}
        self.books: dict[str, list[Book]] = {}
        self.judged = 0
        self.wrong = ""
        """The first book that is not the truth, in words."""

    def take(self, venue: str, instrument: str, book: Book) -> None:
        """Judge a book, unless one was wrong before."""
        before = self.books.setdefault(instrument, [])
        if book.state is FeedState.LIVE and not self.wrong:
            self.judged += 1
            self.wrong = self._fault_of(venue, instrument, book)
            newest = next((one for one in reversed(before) if one.state is FeedState.LIVE), None)
            if newest is not None and newest.feed_epoch == book.feed_epoch:
                reached, shown = _place(newest), _place(book)
                if any(map(lt, shown, reached)) and not self.wrong:
                    self.wrong = f"{instrument} went from {reached} to {shown}"
        before.append(book)

    def _fault_of(self, venue: str, instrument: str, book: Book) -> str:
        known = self._known.setdefault(instrument, {})
        states = self._truth.states[venue, instrument]
        for state in states[len(known) :]:
            known[state.venue_seq] = state
        best, below = (known.get(seq) for seq in _place(book))
        if best is None or below is None:
            return f"{instrument} shows {_place(book)}, which the book never was"
        depth = DEPTH if book.depth is None else book.depth
        bids = [*best.bids[:1], *(level for level in below.bids if _is_worse(best.bids, level, -1))]
        asks = [*best.asks[:1], *(level for level in below.asks if _is_worse(best.asks, level, 1))]
        for side, shown, true in (("bids", book.bids, bids), ("asks", book.asks, asks)):
            meant = numbers(true, depth)
            if shown != meant:
                return (
                    f"{instrument} at {book.venue_seq} shows {side} {shown[:3]} "
                    f"where the truth is {meant[:3]} ({len(shown)} and {len(meant)} levels)"
                )
        return ""


def _place(book: Book) -> tuple[int, int]:
    """Return the truth that the best prices of a book are of, and the one of the levels below."""
    return book.venue_seq, book.venue_seq if book.book_seq is None else book.book_seq


def _is_worse(side: Levels, level: TextLevel, sign: int) -> bool:
    """Say whether a level lies below the best of `side`; `sign` is 1 where prices rise."""
    return bool(side) and sign * Decimal(level[0]) > sign * Decimal(side[0][0])


def numbers(levels: Sequence[TextLevel], depth: int) -> Side:
    """Return the best levels of a truth as the bus carries them."""
    return tuple((float(price), float(amount)) for price, amount in levels[:depth])


class _JudgedPublisher(Publisher):
    """Has all judged that it publishes: on the bus a newer state may replace one nobody saw."""

    judge: Judge

    def publish(self, topic: str, body: Body) -> None:
        if isinstance(body, Book) and (parts := parse_book_topic(topic)) is not None:
            instrument, venue = parts
            self.judge.take(venue, instrument, body)
        super().publish(topic, body)


class Rig:
    """One venue, simulated and listened to. Its market moves by `step` and `set_book` alone."""

    def __init__(
        self, venue: Venue, simulator: Simulator, judge: Judge, subscriber: Subscriber
    ) -> None:
        self.venue = venue
        self.simulator = simulator
        self._judge = judge
        self._subscriber = subscriber

    @property
    def connections(self) -> int:
        """How many connections the venue has now."""
        return self.simulator.clients(self.venue.name)

    def want(self, instrument: str) -> None:
        """Follow an instrument from now on."""
        self._subscriber.subscribe(book_interest(instrument))

    def leave(self, instrument: str) -> None:
        """Follow an instrument no longer."""
        self._subscriber.unsubscribe(book_interest(instrument))

    def step(self, count: int = 1) -> None:
        """Move each book on by `count` states."""
        self.simulator.step(count)

    def set_book(self, instrument: str, bids: Levels, asks: Levels) -> None:
        """Make these levels, in the venue's text, the next state of a book."""
        self.simulator.set_book(self.venue.name, instrument, bids, asks)

    def inject(
        self, kind: str, instrument: str | None = None, seconds: float | None = None
    ) -> None:
        """Let a fault of the simulator happen."""
        self.simulator.faults.inject(self.venue.name, kind, instrument, seconds)

    def during(
        self, kind: FaultKind, instrument: str | None = None
    ) -> AbstractContextManager[None]:
        """Let a fault of the simulator last as long as the context."""
        return self.simulator.during(self.venue.name, kind, instrument)

    @property
    def longest_span_s(self) -> float:
        """The longest time by which the venue's clock counts: of pings, heartbeats, limits."""
        fake = FAKES[self.venue.name].liveness.faster(FASTER)
        spans = (
            fake.ping_interval_s,
            fake.heartbeat_interval_s,
            fake.silence_limit_s,
            fake.keepalive_limit_s,
        )
        return max((span for span in spans if span is not None), default=0.0)

    def last(self, instrument: str) -> Book | None:
        """Return what was published last of an instrument."""
        books = self._judge.books.get(instrument)
        return books[-1] if books else None

    def reasons(self, instrument: str, since: int) -> list[str]:
        """Return why an instrument was not LIVE, in order, in what was published since."""
        books = self._judge.books.get(instrument, [])[since:]
        return [
            f"{book.state.name}: {book.reason}"
            for book in books
            if book.state is not FeedState.LIVE
        ]

    def published(self, instrument: str) -> int:
        """Return how often an instrument was published: a place for `reasons` to begin."""
        return len(self._judge.books.get(instrument, []))

    async def live(self, *instruments: str) -> None:
        """Wait until the books are LIVE and show the last truth, none having been wrong."""
        names = instruments or INSTRUMENTS
        await self.until(
            lambda: all(map(self._is_live, names)), f"{' and '.join(names)} LIVE at the last state"
        )

    async def heals(self) -> None:
        """Wait until the books are LIVE and the truth, while the market moves.

        A venue that shows only what changes in its best levels shows nothing of a lost change
        before the next.
        """
        await self.moving(
            lambda: all(map(self._is_live, INSTRUMENTS)),
            f"{' and '.join(INSTRUMENTS)} LIVE while the market moves",
        )

    async def moving(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until `holds` does, while the market moves; see `until`."""
        loop = asyncio.get_running_loop()
        moves_at = loop.time()

        def held() -> bool:
            nonlocal moves_at
            if loop.time() >= moves_at:
                moves_at = loop.time() + STEP_S
                self.step()
                return False
            return holds()

        await self.until(held, what)

    async def state(self, instrument: str, state: FeedState) -> Book:
        """Wait until an instrument is in `state`; return what says so."""

        def reached() -> bool:
            last = self.last(instrument)
            return last is not None and last.state is state

        await self.until(reached, f"{instrument} {state.name}")
        last = self.last(instrument)
        assert last is not None
        return last

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until `holds` does.

        Raises:
            Violation: it does not in a time that every machine keeps, or a book was wrong.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while not holds():
            self.check()
            if loop.time() > deadline:
                raise Violation(f"not within {PATIENCE_S:g} s: {what}; {self.told()}")
            await asyncio.sleep(POLL_S)
        self.check()

    def check(self) -> None:
        """Raise a `Violation` where a book was wrong."""
        if self._judge.wrong:
            raise Violation(self._judge.wrong)

    def _is_live(self, instrument: str) -> bool:
        book = self.last(instrument)
        states = self.simulator.truth.states.get((self.venue.name, instrument))
        if book is None or not states or book.state is not FeedState.LIVE:
            return False
        depth = DEPTH if book.depth is None else book.depth
        true = states[-1]
        return (book.bids, book.asks) == (numbers(true.bids, depth), numbers(true.asks, depth))

    def told(self) -> str:
        """Return what is the case, for a message."""
        told = [
            f"{name} is {books[-1].state.name} at {books[-1].venue_seq} {books[-1].reason}".rstrip()
            for name, books in self._judge.books.items()
            if books
        ]
        return f"{'; '.join(told) or 'nothing was published'}; {self.connections} connections"


@contextlib.asynccontextmanager
async def open_rig(
    name: str,
    protocol: str = WEBSOCKET,
    *,
    streams_per_connection: int | None = None,
    log_level: str = "error",
) -> AsyncIterator[Rig]:
    """Simulate the venue `name` and listen to it by `protocol`.

    Raises:
        ConfigError: no installed package has such a venue, or a fake of it.
    """
    venue = _hurried(find_venue(name, protocol).at(DEPTH), streams_per_connection)
    if name not in FAKES:
        raise ConfigError(
            f"{name!r} has no fake to listen to: its package needs an entry point "
            "dragonfly.simulated_venues (docs/adding-a-venue.md)"
        )
    clock = SteadyClock()
    runtime = Runtime("listener", RuntimeOptions(log_level=log_level), clock)
    options = SimulatorOptions(
        venues=(name,),
        keep_truth=True,
        faster=FASTER,
        fix=None if venue.fix is None else "127.0.0.1:0",
    )
    with TemporaryDirectory(prefix="dragonfly-") as folder:
        async with running_simulator(options, clock) as simulator:
            ws_url, rest_url = simulator.ws_url(name), simulator.rest_url(name)
            tls = trusted(None)
            feed_url, fix = ws_url, None
            if venue.fix is not None and simulator.fix is not None:
                at = simulator.fix.facts
                feed_url = at["fix"]
                fix = venue.fix, read_fix_key(Path(at["fix_key"]), Path(at["fix_api_key"]))
            limit = venue.limits.max_frame_bytes
            client = build_client(
                feed_url, ClientOptions(tls, limit, compression=venue.compression, fix=fix)
            )
            lists = build_client(
                ws_url, ClientOptions(tls, venue.instruments.max_reply_bytes, compression=True)
            )
            publisher = _JudgedPublisher(f"ipc://{Path(folder)}/bus", "conformance", clock)
            publisher.judge = Judge(simulator.truth)
            listener = Listener(
                runtime,
                publisher,
                ReplicaGroup((), publisher, Assignment(publisher.publisher_id), clock),
                venue,
                Following((), DEPTH, 0.0, None, 4.0 / FASTER),
                client,
                locator(venue, feed_url, rest_url, tls),
                fetcher(venue, lists, ws_url, rest_url, tls),
                random.Random(1).random,  # noqa: S311 - no secret
                lambda path, most: fetch(f"{rest_url}{path}", tls, most),
            )
            subscriber = Subscriber([publisher.address], clock)

            def drain() -> None:
                subscriber.drain()

            tasks = [
                asyncio.create_task(listener.run()),
                asyncio.create_task(drive([subscriber], drain)),
                asyncio.create_task(clock.keep_running()),
            ]
            try:
                yield Rig(venue, simulator, publisher.judge, subscriber)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                subscriber.close()
                publisher.close()


def _hurried(venue: Venue, streams_per_connection: int | None) -> Venue:
    """Return `venue` with clocks and budgets that suit a simulator in a hurry."""
    venue = copy.copy(venue)
    limits, liveness, change = venue.limits, venue.liveness, msgspec.structs.replace
    first_book_s = liveness.first_book_timeout_s
    venue.limits = change(
        limits,
        streams_per_connection=streams_per_connection or limits.streams_per_connection,
        symbols_per_request=min(limits.symbols_per_request, streams_per_connection or 2**20),
        # Pings, which come more often here, take two or three a second.
        requests_per_second=max(limits.requests_per_second, 5.0),
        subscriptions_per_hour=limits.subscriptions_per_hour
        and round(limits.subscriptions_per_hour * FASTER),
        connects_per_minute=limits.connects_per_minute * FASTER,
        pause_after_connect_s=limits.pause_after_connect_s / FASTER,
    )
    venue.liveness = change(
        liveness,
        probe_after_s=0.5,
        stale_after_s=2.5,
        reconnect_after_s=6.0,
        first_book_timeout_s=first_book_s and 2.0,
        ack_timeout_s=2.0,
        keepalive_s=liveness.keepalive_s and liveness.keepalive_s / FASTER,
    )
    if venue.snapshots is not None:
        per_minute = venue.snapshots.per_minute * FASTER
        cached_s = venue.snapshots.cached_s and venue.snapshots.cached_s / FASTER
        venue.snapshots = change(
            venue.snapshots, per_minute=per_minute, burst=20, cached_s=cached_s
        )
    return venue
