"""The watcher's counts. Pure: books and times are arguments.

An *update* of a venue is a book in which the venue's own state of the book differs from the one
before; its *latency* runs from its bytes leaving the socket at the listener to the book's arrival,
without what the book waited for the watcher.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dragonfly_client.messages import Book, Hops, State, VenueFeed

from terminal.hops import NO_WAIT, HopTimes, Wait
from terminal.text import whose

__all__ = ["FeedFault", "Percentiles", "Rates", "Recent", "Statistics", "WaitMeter", "WatchSummary"]

RECENT_SAMPLES: Final = 1000
RATE_WINDOW_S: Final = 2.0
MAX_FAULTS: Final = 100
"""Different faults that are told apart; those of a venue that invents more count as `other`."""


_FaultKey = tuple[str, State, str]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """In nanoseconds."""

    p50_ns: float
    p99_ns: float


@dataclass(frozen=True, slots=True)
class FeedFault:
    """A venue left LIVE, or never was it: `times` counts the episodes."""

    venue: str
    state: State
    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class WatchSummary:
    """The watcher's counts from its first book to its last."""

    instruments: tuple[str, ...]
    seconds: float
    books: int
    updates: dict[str, int]
    latency: Percentiles | None
    waited: Percentiles | None
    faults: tuple[FeedFault, ...]
    reconnects: int
    counts_faults: bool = True


class Recent:
    """The last samples, exactly."""

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=RECENT_SAMPLES)

    def add(self, value_ns: int) -> None:
        self._samples.append(value_ns)

    def percentiles(self) -> Percentiles | None:
        ordered = sorted(self._samples)
        if not ordered:
            return None
        return Percentiles(_rank(ordered, 0.5), _rank(ordered, 0.99))


class Rates:
    """Counts per second over the last two seconds, from samples of the running totals."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, dict[str, int]]] = deque()

    def sample(self, now_s: float, totals: dict[str, int]) -> None:
        self._points.append((now_s, dict(totals)))
        while len(self._points) > 2 and self._points[1][0] <= now_s - RATE_WINDOW_S:
            self._points.popleft()

    def per_second(self, name: str) -> float:
        if len(self._points) < 2:
            return 0.0
        (then_s, before), (now_s, after) = self._points[0], self._points[-1]
        return (after.get(name, 0) - before.get(name, 0)) / (now_s - then_s or 1.0)


class WaitMeter:
    """Measures how long a book waited behind other books and pictures of this very watcher.

    A book waits where it arrived, and before that at the gateway, which has no more than `window`
    books under way. A difference of the two machines' clocks cancels out, because the fastest way
    of a book so far is taken by the same two clocks. The way of an acknowledgement is not known: it
    stays in the gateway's hop.
    """

    def __init__(self, window: int) -> None:
        self._acknowledged_ns: deque[int] = deque(maxlen=window)
        self._free_ns = 0
        self._fastest_way_ns: int | None = None

    def waited(self, book: Book) -> Wait:
        way_ns = book.ts_in - book.ts_out
        if self._fastest_way_ns is None or way_ns < self._fastest_way_ns:
            self._fastest_way_ns = way_ns
        at_gateway_ns = 0
        if len(self._acknowledged_ns) == self._acknowledged_ns.maxlen:
            opened_ns = self._acknowledged_ns[0] - self._fastest_way_ns
            at_gateway_ns = min(max(0, opened_ns - book.ts_agg), max(0, book.ts_out - book.ts_agg))
        here_ns = max(0, self._free_ns - (book.ts_out + self._fastest_way_ns))
        return Wait(at_gateway_ns, here_ns)

    def acknowledge(self, now_ns: int) -> None:
        """Note that a book is done with, and the next one asked for."""
        self._acknowledged_ns.append(now_ns)
        self._free_ns = now_ns

    def free(self, now_ns: int) -> None:
        """Note that nothing else keeps the watcher from a book any more."""
        self._free_ns = now_ns


class Statistics:
    """The figures of a ladder and of a summary, beyond the newest book."""

    ALL: Final = ""
    """In place of a venue's name: all books."""

    def __init__(self) -> None:
        self.reconnects = 0
        self.rates = Rates()
        self._totals: Counter[str] = Counter()
        self._updates: Counter[str] = Counter()
        self._latency: defaultdict[str, Recent] = defaultdict(Recent)
        self.hop_times = HopTimes()
        self._hops: deque[Hops] = deque(maxlen=RECENT_SAMPLES)
        self._known: dict[tuple[str, str], VenueFeed] = {}
        self._was_live: set[tuple[str, str]] = set()
        self._not_yet_live: dict[tuple[str, str], _FaultKey] = {}
        self._faults: Counter[_FaultKey] = Counter()

    def observe(self, book: Book, waited: Wait = NO_WAIT) -> None:
        """Count `book`, which `waited` for the watcher so long."""
        self._totals[self.ALL] += 1
        moved = [feed for feed in book.venues if self._take(book.instrument, feed)]
        heard = [feed for feed in moved if feed.state is State.LIVE and feed.ts_recv is not None]
        if heard:
            self._time(book, max(heard, key=lambda feed: feed.ts_recv or 0), waited)

    def sample_rates(self, now_s: float) -> None:
        """Take one point of the rates; to be called a few times a second."""
        self.rates.sample(now_s, self._totals)

    def latency(self, venue: str = ALL) -> Percentiles | None:
        """Return the recent percentiles of one venue's latency, or of all."""
        return self._latency[venue].percentiles()

    def hops(self) -> Hops | None:
        """Return the recent median of each hop."""
        if not self._hops:
            return None
        return Hops(
            listener_ns=_median([hops.listener_ns for hops in self._hops]),
            aggregator_ns=_median([hops.aggregator_ns for hops in self._hops]),
            gateway_ns=_median([hops.gateway_ns for hops in self._hops]),
            bot_ns=_median([hops.bot_ns for hops in self._hops]),
        )

    def summary(self, instruments: Sequence[str], seconds: float) -> WatchSummary:
        faults = self._faults + Counter(self._not_yet_live.values())
        whole, waited = self.hop_times.whole(), self.hop_times.waited()
        return WatchSummary(
            instruments=tuple(instruments),
            seconds=seconds,
            books=self._totals[self.ALL],
            updates={venue: self._updates[venue] for venue in sorted(self._updates)},
            latency=Percentiles(whole.p50_ns, whole.p99_ns) if whole else None,
            waited=Percentiles(waited.p50_ns, waited.p99_ns) if waited else None,
            faults=tuple(FeedFault(*what, times) for what, times in sorted(faults.items())),
            reconnects=self.reconnects,
        )

    def _take(self, instrument: str, feed: VenueFeed) -> bool:
        """Remember the feed; return whether the venue moved since the last book."""
        key = (instrument, whose(feed))
        before = self._known.get(key)
        self._known[key] = feed
        self._updates.setdefault(key[1], 0)
        if before is None or before.state is not feed.state:
            self._count_fault(key, feed)
        if before is None or before.ts_recv == feed.ts_recv:
            return False
        self._updates[key[1]] += 1
        self._totals[key[1]] += 1
        return True

    def _count_fault(self, key: tuple[str, str], feed: VenueFeed) -> None:
        # What stands in brackets is of one episode: figures, checksums, times.
        fault = (key[1], feed.state, feed.reason.partition(" (")[0])
        if feed.state is State.LIVE:
            self._was_live.add(key)
            self._not_yet_live.pop(key, None)
        elif key not in self._was_live:
            # A venue that comes up is no fault, unless it never does.
            self._not_yet_live[key] = fault
        elif fault in self._faults or len(self._faults) < MAX_FAULTS:
            self._faults[fault] += 1
        else:
            self._faults[key[1], feed.state, "other"] += 1

    def _time(self, book: Book, moved: VenueFeed, waited: Wait) -> None:
        assert moved.ts_recv is not None
        latency_ns = book.ts_in - moved.ts_recv - waited.ns
        self._latency[self.ALL].add(latency_ns)
        self._latency[whose(moved)].add(latency_ns)
        self.hop_times.add(book, moved, waited)
        hops = book.hops
        if hops is not None:
            gateway_ns = hops.gateway_ns - waited.at_gateway_ns
            bot_ns = hops.bot_ns - waited.here_ns
            self._hops.append(replace(hops, gateway_ns=gateway_ns, bot_ns=bot_ns))


def _rank(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]
