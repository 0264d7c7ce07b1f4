"""The latency of quotes: a histogram of each hop, and of each venue's whole way. Pure.

A hop begins where the one before it ends, so the hops of one quote add up; their percentiles do
not, because the slowest hops are not those of the same quote. The wait for the watcher itself is in
no hop and has a histogram of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dragonfly_client.messages import Book, VenueFeed

from terminal.histogram import Distribution, Histogram

__all__ = ["ALL", "HOPS", "NO_WAIT", "WAITED", "HopTimes", "Wait"]

HOPS: Final = ("listener", "aggregator", "gateway", "bot")
ALL: Final = "socket to bot"
WAITED: Final = "waited"


@dataclass(frozen=True, slots=True)
class Wait:
    """The time that a book waited for the watcher: unsent at the gateway, and unread here."""

    at_gateway_ns: int = 0
    here_ns: int = 0

    @property
    def ns(self) -> int:
        return self.at_gateway_ns + self.here_ns


NO_WAIT: Final = Wait()


class HopTimes:
    """The distributions of each hop and of each venue, over all quotes added."""

    def __init__(self) -> None:
        self._hops = {name: Histogram() for name in (*HOPS, ALL, WAITED)}
        self._ways: dict[str, Histogram] = {}
        self._arrivals: dict[str, Histogram] = {}

    def add(self, book: Book, moved: VenueFeed, waited: Wait = NO_WAIT) -> None:
        """Add the way of the venue's state that `book` brought, less what the book `waited`."""
        if moved.ts_recv is None or moved.ts_pub is None:
            return
        way_ns = book.ts_in - moved.ts_recv - waited.ns
        for name, took_ns in (
            ("listener", moved.ts_pub - moved.ts_recv),
            ("aggregator", book.ts_agg - moved.ts_pub),
            ("gateway", book.ts_out - book.ts_agg - waited.at_gateway_ns),
            ("bot", book.ts_in - book.ts_out - waited.here_ns),
            (ALL, way_ns),
            (WAITED, waited.ns),
        ):
            self._hops[name].add(took_ns)
        self._ways.setdefault(moved.venue, Histogram()).add(way_ns)
        if moved.ts_event is not None:
            arrival_ns = moved.ts_recv - moved.ts_event
            self._arrivals.setdefault(moved.venue, Histogram()).add(arrival_ns)

    def whole(self) -> Distribution | None:
        """Return the latency from the listeners' sockets to this bot, of all venues."""
        return self._hops[ALL].distribution()

    def waited(self) -> Distribution | None:
        """Return the waits for this watcher, which are in no other figure."""
        return self._hops[WAITED].distribution()

    def rows(self) -> Iterator[tuple[str, str, Distribution]]:
        """Yield (group, name, distribution): each hop, each venue's way, and what came before it.

        The groups are `hop`, `venue` and `before`: from the venue's own stamp to the listener's
        socket, which is as true as their clocks agree.
        """
        groups = (("hop", self._hops), ("venue", self._ways), ("before", self._arrivals))
        for group, histograms in groups:
            for name in histograms if group == "hop" else sorted(histograms):
                distribution = histograms[name].distribution()
                if distribution is not None:
                    yield group, name, distribution
