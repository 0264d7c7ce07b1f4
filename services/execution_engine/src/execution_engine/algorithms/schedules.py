"""Schedules: slices of an order in time, each a multiple of the lot and no less than the least.

Pure: a schedule follows from the order, its acceptance and its id alone, so that it is the same
after a restart.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dragonfly_orders.messages import ImplementationShortfall, Participate, Sweep, Twap

from execution_engine.algorithms.almgren_chriss import shape
from execution_engine.rows import ParentOpened

__all__ = ["MOST_SLICES", "Schedule", "schedule_of", "sliced"]

MOST_SLICES: Final = 10_000
S_NS: Final = 10**9
ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class Schedule:
    """How much of an order is due by when."""

    times_ns: tuple[int, ...]
    """When each slice is due, rising."""
    cumulative: tuple[Decimal, ...]
    """With each slice, what is due of the order so far; the last is all of it."""
    end_ns: int | None
    """From then on nothing is sent; None: the rounds are the end."""
    most_at_once: Decimal | None
    """Where earlier slices were not filled, no more is sent in one slice's time; None: all that is
    due."""

    def due(self, now_ns: int) -> Decimal:
        """Return how much of the order is to be out by `now_ns`."""
        index = bisect_right(self.times_ns, now_ns)
        return self.cumulative[index - 1] if index else ZERO

    def slice_begin_ns(self, now_ns: int) -> int:
        """Return since when the slice of now is due; 0 before the first."""
        index = bisect_right(self.times_ns, now_ns)
        return self.times_ns[index - 1] if index else 0


def schedule_of(opened: ParentOpened, quantity: Decimal) -> Schedule:
    """Return the schedule of an order, of which `quantity` is wanted by now.

    Raises:
        ValueError: it participates in what is traded, which no time tells: never accepted.
    """
    algorithm, begun = opened.order.algorithm, opened.opened_ns
    match algorithm:
        case Sweep():
            return Schedule((begun,), (quantity,), None, None)
        case Twap():
            start = max(begun, algorithm.start_ns)
            count = _count(opened, quantity, start, algorithm.end_ns, algorithm.interval_s)
            weights: Sequence[float] = [1.0] * count
            randomise, catch_up = algorithm.randomise, algorithm.catch_up
        case ImplementationShortfall():
            start = max(begun, algorithm.start_ns)
            count = _count(opened, quantity, start, algorithm.end_ns, algorithm.interval_s)
            weights = shape(count, algorithm.urgency)
            randomise, catch_up = 0.0, algorithm.catch_up
        case Participate():
            raise ValueError("participation has no schedule: what is traded decides")
    slices = sliced(quantity, weights, opened.lot, _least_slice(opened))
    chance = random.Random(opened.order_id)  # noqa: S311 - the same after a restart
    step_ns = (algorithm.end_ns - start) // count
    times: list[int] = []
    cumulative: list[Decimal] = []
    due = ZERO
    for index, amount in slices:
        away = chance.uniform(-randomise, randomise) if index else 0.0
        times.append(start + round((index + away) * step_ns))
        due += amount
        cumulative.append(due)
    most = max(amount for _, amount in slices) * Decimal(repr(catch_up))
    return Schedule(tuple(times), tuple(cumulative), algorithm.end_ns, most)


def sliced(
    quantity: Decimal, weights: Sequence[float], lot: Decimal, least: Decimal
) -> list[tuple[int, Decimal]]:
    """Divide `quantity` by `weights`, into multiples of `lot` that are each `least` at least.

    What a slice has too little is folded into the next, and of the last ones into the one before:
    no rest is planned that nobody takes. Where all of it is less than `least`, it is one slice.

    Returns:
        (the place of its weight, its amount) of each slice that is left.
    """
    total = sum(map(Decimal, weights), ZERO)
    slices: list[tuple[int, Decimal]] = []
    weight = planned = ZERO
    for index, each in enumerate(weights):
        weight += Decimal(each)
        is_last = index == len(weights) - 1
        target = quantity if is_last else quantity * weight / total // lot * lot
        if target - planned >= least:
            slices.append((index, target - planned))
            planned = target
    rest = quantity - planned
    if slices and rest < least:
        index, last = slices.pop()
        slices.append((index, last + rest))
    elif rest:
        slices.append((len(weights) - 1, rest))
    return slices


def _count(opened: ParentOpened, quantity: Decimal, start_ns: int, end_ns: int, by_s: float) -> int:
    """Return how many slices there are: an interval each, none smaller than a venue takes."""
    wanted = round((end_ns - start_ns) / (by_s * S_NS))
    return max(1, min(MOST_SLICES, wanted, int(quantity // _least_slice(opened))))


def _least_slice(opened: ParentOpened) -> Decimal:
    return max(opened.least, opened.order.min_child or ZERO)
