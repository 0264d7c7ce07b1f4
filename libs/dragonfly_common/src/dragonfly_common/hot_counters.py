"""Metrics that cost nothing to count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

__all__ = ["Count", "Tallies", "Tally"]


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
