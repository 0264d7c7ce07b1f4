"""How fast a measured value grows, whatever its outliers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import median

__all__ = ["percentile", "slope"]

MOST_POINTS = 400
"""Pairs grow with the square: more points are first made medians of neighbours."""

Point = tuple[float, float]


def slope(points: Sequence[Point]) -> float:
    """Return the Theil-Sen slope of (x, y): the median of the slopes of all pairs of points.

    Up to 29 % of the points may be anything. NaN with fewer than two.
    """
    pairs = combinations(_thinned(points), 2)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs if x1 != x2]
    return median(slopes) if slopes else math.nan


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least value that is not below `percent` of them; NaN without values."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _thinned(points: Sequence[Point]) -> list[Point]:
    size = math.ceil(len(points) / MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(median(x for x, _ in group), median(y for _, y in group)) for group in groups]
