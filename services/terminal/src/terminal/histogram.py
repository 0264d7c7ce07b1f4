"""Quantiles of any number of samples in bounded memory, with a bounded error. Pure.

A sample is counted under its first eleven binary digits. A bucket's middle stands for what is in
it and is at most 1/2048 (0.05 %) from each of them; below 2048 ns, and of the maximum, it is exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

__all__ = ["OCTAVES", "Distribution", "Histogram"]

LONGEST_NS: Final = 3_600_000_000_000
DIGITS: Final = 11
"""With an hour at most these are some 34,000 buckets."""
RANKS_PER_MILLE: Final = (500, 900, 990, 999)
SHORTEST_SHOWN_NS: Final = 4_000
OCTAVES: Final = 20
"""Shown of a histogram: the first up to 4 µs, each next to twice that, the last beyond 1 s."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles in nanoseconds; `below_zero` of the `count` samples were negative: 0 here.

    `octaves` says how many samples were up to 4 µs, up to 8 µs, and so on, and at last above 1 s.
    """

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    below_zero: int
    octaves: tuple[int, ...]


class Histogram:
    """All samples of a run, however long; one of more than an hour counts as an hour."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()  # by the lowest value that each can hold
        self._max_ns = 0
        self._below_zero = 0

    def add(self, value_ns: int) -> None:
        self._below_zero += value_ns < 0
        value_ns = min(max(0, value_ns), LONGEST_NS)
        self._max_ns = max(self._max_ns, value_ns)
        dropped = _dropped(value_ns)
        self._buckets[value_ns >> dropped << dropped] += 1

    def distribution(self) -> Distribution | None:
        """Return what was added, None if that was nothing."""
        if not self._buckets:
            return None
        lows = sorted(self._buckets)
        up_to = list(accumulate(self._buckets[low] for low in lows))
        count = up_to[-1]
        # Of the nearest rank: the smallest sample with that share of all at or below it.
        ranks = [-(-count * per_mille // 1000) for per_mille in RANKS_PER_MILLE]
        p50, p90, p99, p999 = (self._middle(lows[bisect_left(up_to, rank)]) for rank in ranks)
        octaves = [0] * OCTAVES
        for low in lows:
            octave = ((low - 1) // SHORTEST_SHOWN_NS).bit_length() if low else 0
            octaves[min(octave, OCTAVES - 1)] += self._buckets[low]
        return Distribution(
            count, p50, p90, p99, p999, self._max_ns, self._below_zero, tuple(octaves)
        )

    def _middle(self, low_ns: int) -> int:
        return min(low_ns + (1 << _dropped(low_ns) >> 1), self._max_ns)


def _dropped(value_ns: int) -> int:
    """Return how many binary digits of `value_ns` its bucket leaves out."""
    return max(0, value_ns.bit_length() - DIGITS)
