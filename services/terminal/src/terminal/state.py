"""The state of a watch: the newest books, the counts, whether it is connected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dragonfly_client.events import Disconnected, Event, Reconnected, Refused
from dragonfly_client.messages import Book

from terminal.hops import HopTimes
from terminal.ladder import Frame, VenueRow
from terminal.statistics import Statistics, WaitMeter, WatchSummary
from terminal.text import decimals_of, whose

__all__ = ["WINDOW", "Notices", "WatchState"]

WINDOW: Final = 8
"""A watch keeps up; it wants to time each book, not the wait for an acknowledgement."""

Notices = Callable[[], list[str]]
"""Returns lines from outside to show beneath, newest last."""


class WatchState:
    """Takes books and events in, gives frames and a summary out."""

    def __init__(self, target: str, instruments: Sequence[str], notices: Notices) -> None:
        self.target = target
        self.instruments = tuple(instruments)
        self.notices = notices
        self.started_s: float | None = None
        """When the first book came, by the monotonic clock."""
        self._statistics = Statistics()
        self._books: dict[str, Book] = {}
        self._decimals = 2
        self._lost: tuple[str, float] | None = None
        self._refused: dict[str, str] = {}
        self._wait_meter = WaitMeter(WINDOW)

    def observe(self, book: Book) -> None:
        if self.started_s is None:
            self.started_s = time.monotonic()
        self._statistics.observe(book, self._wait_meter.waited(book))
        self._books[book.instrument] = book

    def on_event(self, event: Event) -> None:
        match event:
            case Disconnected(_, reason):
                self._lost = (reason, time.monotonic())
            case Reconnected():
                self._lost = None
                self._statistics.reconnects += 1
            case Refused(_, instrument, reason):
                self._refused[instrument] = reason

    def tick(self) -> None:
        """Take one point of the rates; to be called before each picture."""
        self._statistics.sample_rates(time.monotonic())

    def observed(self) -> None:
        """Note that a book is done with; to be called after each."""
        self._wait_meter.acknowledge(time.time_ns())

    def drawn(self) -> None:
        """Note that a picture is finished; to be called after each."""
        self._wait_meter.free(time.time_ns())

    def frame(self) -> Frame:
        """Return what a ladder shows now."""
        first, *others = self.instruments
        book = self._books.get(first)
        if book is not None:
            prices = (level.price for level in (*book.bids, *book.asks))
            self._decimals = decimals_of(prices, at_least=self._decimals)
        statistics = self._statistics
        return Frame(
            target=self.target,
            instrument=first,
            book=book,
            venues=[] if book is None else self._venues(book),
            books_per_s=statistics.rates.per_second(statistics.ALL),
            latency=statistics.latency(),
            hops=statistics.hops(),
            others=[self._books[name] for name in others if name in self._books],
            notices=[*self._refused.values(), *self.notices()],
            outage=self._outage(),
            decimals=self._decimals,
        )

    @property
    def books(self) -> Mapping[str, Book]:
        """The newest book of each instrument that has one."""
        return self._books

    def since_ns(self, book: Book) -> int:
        """Return how long ago a venue last changed `book`, by this machine's clock."""
        youngest = min((feed.age_ns for feed in book.venues if feed.ts_recv), default=0)
        return youngest + time.time_ns() - book.ts_out

    @property
    def hop_times(self) -> HopTimes:
        """The latency of all quotes by hop and venue."""
        return self._statistics.hop_times

    def summary(self) -> WatchSummary:
        seconds = 0.0 if self.started_s is None else time.monotonic() - self.started_s
        return self._statistics.summary(self.instruments, seconds)

    def _outage(self) -> str | None:
        if self._lost is None:
            return None
        reason, since_s = self._lost
        return f"disconnected for {time.monotonic() - since_s:.0f} s: {reason}"

    def _venues(self, book: Book) -> list[VenueRow]:
        since_ns = time.time_ns() - book.ts_out
        statistics = self._statistics
        return [
            VenueRow(
                feed=feed,
                age_ns=feed.age_ns + since_ns,
                updates_per_s=statistics.rates.per_second(whose(feed)),
                latency=statistics.latency(whose(feed)),
            )
            for feed in book.venues
        ]
