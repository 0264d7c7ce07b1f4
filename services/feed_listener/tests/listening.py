"""A whole listener in the test's own loop, and a consumer on the bus that keeps what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from dragonfly_common.assignment import Assignment
from dragonfly_common.bus import Delivery, Publisher, PublisherLost, Subscriber, drive
from dragonfly_common.clock import Clock, SteadyClock
from dragonfly_common.messages import Body, Book, Instruments, VenueStatus
from dragonfly_common.replicas import ReplicaGroup
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.topics import RELIST_PREFIX, STATUS_PREFIX, book_interest, book_topic
from dragonfly_common.types import FeedState
from dragonfly_venues.transport import ClientOptions, build_client, fetch, trusted
from dragonfly_venues.venue import FixKey, Venue
from fake_venue import FakeServer, FakeVenue, eventually
from feed_listener.connection.endpoint import locator
from feed_listener.instrument_list import fetcher
from feed_listener.listener import Following, Listener
from patience import SkippingClock

__all__ = ["Consumer", "SkippingClock", "listening"]


class KeepingPublisher(Publisher):
    """Keeps all it published: on the bus a newer state may replace one that nobody saw."""

    def __init__(self, address: str, publisher_id: str, clock: Clock) -> None:
        super().__init__(address, publisher_id, clock)
        self.published: list[tuple[str, Body]] = []

    def publish(self, topic: str, body: Body) -> None:
        self.published.append((topic, body))
        super().publish(topic, body)


class Consumer:
    """A consumer as an aggregator is one."""

    def __init__(self, publisher: KeepingPublisher) -> None:
        self._publisher = publisher
        self._subscriber = Subscriber([publisher.address], SteadyClock())
        self._subscriber.subscribe(STATUS_PREFIX)
        self.books: dict[str, list[Book]] = {}
        self.venues: list[VenueStatus] = []
        self.lists: list[Instruments] = []

    async def run(self) -> None:
        """Hear until cancelled."""
        await drive([self._subscriber], self._drain)

    def want(self, instrument: str) -> None:
        self._subscriber.subscribe(book_interest(instrument))

    def want_relist(self) -> None:
        self._subscriber.subscribe(RELIST_PREFIX)

    def leave(self, instrument: str) -> None:
        self._subscriber.unsubscribe(book_interest(instrument))

    def of(self, instrument: str) -> list[Book]:
        """Return the books of `instrument` that came over the bus."""
        return self.books.get(book_topic(instrument, "fake"), [])

    def said(self, instrument: str) -> list[Book]:
        """Return every book of `instrument` that was published."""
        topic = book_topic(instrument, "fake")
        bodies = (body for published, body in self._publisher.published if published == topic)
        return [body for body in bodies if isinstance(body, Book)]

    def states(self, instrument: str) -> list[FeedState]:
        """Return the states of `instrument`, each change once."""
        return [state for state, _ in groupby(book.state for book in self.said(instrument))]

    async def saying(self, instrument: str, reason: str) -> Book:
        """Return the first book of `instrument` that was published for `reason`."""

        def found() -> list[Book]:
            return [book for book in self.said(instrument) if reason in book.reason]

        await eventually(lambda: bool(found()), f"{instrument} {reason!r}")
        return found()[0]

    def last(self, instrument: str) -> Book | None:
        books = self.of(instrument)
        return books[-1] if books else None

    async def book(self, instrument: str, fits: Callable[[Book], bool], what: str) -> Book:
        """Return the last book of `instrument`, as soon as it fits."""

        def fitting() -> bool:
            last = self.last(instrument)
            return last is not None and fits(last)

        await eventually(fitting, f"{instrument} {what}")
        last = self.last(instrument)
        assert last is not None
        return last

    async def state(self, instrument: str, state: FeedState) -> Book:
        """Return the last book of `instrument`, as soon as it is in `state`."""
        return await self.book(instrument, lambda book: book.state is state, state.name)

    async def live(self, instrument: str, venue_seq: int) -> Book:
        """Return the book of `venue_seq`, as soon as it is LIVE."""
        return await self.book(
            instrument,
            lambda book: book.state is FeedState.LIVE and book.venue_seq == venue_seq,
            f"LIVE at {venue_seq}",
        )

    async def venue(self, fits: Callable[[VenueStatus], bool], what: str) -> VenueStatus:
        """Return the last venue state, as soon as it fits."""

        def fitting() -> bool:
            return bool(self.venues) and fits(self.venues[-1])

        await eventually(fitting, f"venue {what}")
        return self.venues[-1]

    def close(self) -> None:
        self._subscriber.close()

    def _drain(self) -> None:
        for event in self._subscriber.drain():
            # A test machine may be slow enough for a listener to seem lost.
            if not isinstance(event, PublisherLost):
                self._take(event)

    def _take(self, delivery: Delivery) -> None:
        match delivery.body:
            case Book():
                self.books.setdefault(delivery.topic, []).append(delivery.body)
            case VenueStatus():
                self.venues.append(delivery.body)
            case Instruments():
                self.lists.append(delivery.body)


@contextlib.asynccontextmanager
async def listening(
    server: FakeServer,
    folder: Path,
    *,
    venue: Venue | None = None,
    instruments: Sequence[str] = (),
    linger_s: float = 0.0,
    clock: SkippingClock | None = None,
    ca_file: Path | None = None,
    audit_interval_s: float | None = None,
    list_interval_s: float = 60.0,
    endpoint_url: str | None = None,
    fix: tuple[str, FixKey] | None = None,
) -> AsyncIterator[Consumer]:
    """Run a listener to `server`, and a consumer of what it publishes.

    `endpoint_url` is the base address at which a venue that tells its socket is asked for it; `fix`
    is where a venue is that is listened to by FIX, and the key for it.
    """
    clock = clock or SkippingClock()
    venue = venue or FakeVenue()
    runtime = Runtime("listener", RuntimeOptions(), clock)
    tls = trusted(ca_file)
    url = fix[0] if fix is not None else server.ws_url
    options = ClientOptions(tls, 2**16, compression=False)
    if fix is not None and venue.fix is not None:
        options = replace(options, fix=(venue.fix, fix[1]))
    client = build_client(url, options)
    publisher = KeepingPublisher(f"ipc://{folder}/listener.ipc", "listener@test", clock)
    listener = Listener(
        runtime,
        publisher,
        ReplicaGroup((), publisher, Assignment(publisher.publisher_id), clock),
        venue,
        Following(instruments, 10, linger_s, audit_interval_s, list_interval_s),
        client,
        locator(venue, url, endpoint_url or server.rest_url, tls),
        fetcher(venue, client, server.ws_url, server.rest_url, tls),
        random.Random(1).random,
        lambda path, most: fetch(f"{server.rest_url}{path}", tls, most),
    )
    consumer = Consumer(publisher)
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(consumer.run())]
    try:
        yield consumer
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        consumer.close()
        publisher.close()
