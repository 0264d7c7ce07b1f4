"""Where a quote's time goes: a histogram of each hop, and of each venue's whole way. Pure.

A hop begins where the one before it ends, so for each quote they add up; their percentiles do not,
because the slowest hops are not those of the same quote. What a quote waited for the watcher itself
is in no hop, and told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dragonfly_client.messages import Book, VenueFeed

from terminal.histogram import Distribution, Histogram

__all__ = ["ALL", "HOPS", "NOT_AT_ALL", "OWN", "Ledger", "Waited"]

HOPS: Final = ("listener", "aggregator", "gateway", "bot")
ALL: Final = "socket to bot"
OWN: Final = "waited"


@dataclass(frozen=True, slots=True)
class Waited:
    """What a book waited for the watcher: unsent, and unread."""

    at_gateway_ns: int = 0
    here_ns: int = 0

    @property
    def ns(self) -> int:
        return self.at_gateway_ns + self.here_ns


NOT_AT_ALL: Final = Waited()


class Ledger:
    """Takes a quote at a time, gives the distribution of each hop and of each venue."""

    def __init__(self) -> None:
        self._hops = {name: Histogram() for name in (*HOPS, ALL, OWN)}
        self._ways: dict[str, Histogram] = {}
        self._arrivals: dict[str, Histogram] = {}

    def add(self, book: Book, moved: VenueFeed, waited: Waited = NOT_AT_ALL) -> None:
        """Take the way of the venue's state that `book` brought, without what it `waited`."""
        if moved.ts_recv is None or moved.ts_pub is None:
            return
        way_ns = book.ts_in - moved.ts_recv - waited.ns
        for name, took_ns in (
            ("listener", moved.ts_pub - moved.ts_recv),
            ("aggregator", book.ts_agg - moved.ts_pub),
            ("gateway", book.ts_out - book.ts_agg - waited.at_gateway_ns),
            ("bot", book.ts_in - book.ts_out - waited.here_ns),
            (ALL, way_ns),
            (OWN, waited.ns),
        ):
            self._hops[name].add(took_ns)
        self._ways.setdefault(moved.venue, Histogram()).add(way_ns)
        if moved.ts_event is not None:
            arrival_ns = moved.ts_recv - moved.ts_event
            self._arrivals.setdefault(moved.venue, Histogram()).add(arrival_ns)

    def whole(self) -> Distribution | None:
        """Return how long quotes took from the listeners' sockets to this bot, of all venues."""
        return self._hops[ALL].distribution()

    def waited(self) -> Distribution | None:
        """Return how long quotes waited for this watcher, in no other figure."""
        return self._hops[OWN].distribution()

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
