"""Metrics that cost nothing to count."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

__all__ = ["Count", "Delays", "Newest", "Spread", "Tallies", "Tally"]

BOUNDS_NS: Final = [
    round(step * 10**power) for power in range(4, 9) for step in (1, 2, 5) if step * 10**power > 2e4
] + [10**9]
"""50 µs to 1 s, three a decade."""


class Count:
    """A plain number, which belongs to one thread."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Tally(Count, Collector):
    """A counter for hot paths: a plain number, read when asked for.

    prometheus_client's own takes five calls and a lock to add one.
    """

    def __init__(self, name: str, documentation: str) -> None:
        super().__init__()
        self._name = name
        self._documentation = documentation
        REGISTRY.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._documentation, value=self.count)


class Tallies(Collector):
    """The same with labels: a plain number for each set of their values."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: dict[tuple[str, ...], Count] = {}
        REGISTRY.register(self)

    def labels(self, *values: str) -> Count:
        """Return the number of these values, which may be kept."""
        if len(values) != len(self._labels):
            raise ValueError(f"{values} are not the labels {', '.join(self._labels)}")
        if values not in self._counts:
            self._counts[values] = Count()
        return self._counts[values]

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, one in [*self._counts.items()]:
            family.add_metric(values, one.count)
        yield family


class Spread:
    """How many delays were how long; it belongs to one thread."""

    __slots__ = ("counts", "total_ns")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_NS) + 1)
        self.total_ns = 0

    def note(self, delay_ns: int) -> None:
        """Count a delay; a negative one, between machines whose clocks disagree, as none."""
        self.counts[bisect_left(BOUNDS_NS, delay_ns)] += 1
        if delay_ns > 0:
            self.total_ns += delay_ns


class Delays(Collector):
    """A histogram in seconds, with one label."""

    def __init__(self, name: str, documentation: str, label: str) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._spreads: dict[str, Spread] = {}
        REGISTRY.register(self)

    def of(self, value: str) -> Spread:
        """Return the delays of this value, which may be kept."""
        return self._spreads.setdefault(value, Spread())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        bounds = [str(bound / 1e9) for bound in BOUNDS_NS] + ["+Inf"]
        for value, spread in [*self._spreads.items()]:
            buckets = list(zip(bounds, map(float, accumulate(spread.counts)), strict=True))
            family.add_metric([value], buckets, spread.total_ns / 1e9)
        yield family


class Newest:
    """Tells what is new from a publisher: not last values that it sends again, which are old."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def is_new(self, publisher: str, ts: int) -> bool:
        """Say whether nothing that is of `ts`, or newer, was heard; of its first message, no."""
        before = self._newest.get(publisher)
        if before is None or ts > before:
            self._newest[publisher] = ts
        return before is not None and ts > before

    def forget(self, publisher: str) -> None:
        self._newest.pop(publisher, None)
