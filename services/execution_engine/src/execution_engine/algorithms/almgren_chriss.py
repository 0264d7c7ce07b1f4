"""The optimal schedule of Almgren and Chriss (2000), "Optimal execution of portfolio transactions".

Linear impact: a temporary one of `eta` and a permanent one of `gamma` per share and time, a half
spread `epsilon`, a volatility `sigma` in price per square root of time, a risk aversion `lam`.
Units are the caller's, as long as they agree. Pure, in floats: the schedule's shape is theirs, and
money is cut from it in decimals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dragonfly_orders.messages import Urgency

__all__ = ["Costs", "kappa", "shape", "trades"]

KAPPA_T: Final = {Urgency.LOW: 1.0, Urgency.MEDIUM: 3.0, Urgency.HIGH: 6.0}
"""Our choice of `kappa` times the horizon: how many times over the rest decays in it. With LOW 30 %
of a fine schedule is out after a quarter of the time, with MEDIUM 54 %, with HIGH 78 %."""
SMALL: Final = 1e-9


@dataclass(frozen=True)
class Costs:
    """A market's model, and how much its owner minds risk."""

    sigma: float
    eta: float
    gamma: float
    epsilon: float
    lam: float

    def expected(self, slices: list[float], tau: float) -> float:
        """Return the expected shortfall of a schedule: E of the paper's equation (6)."""
        total = sum(slices)
        eta = self.eta - self.gamma * tau / 2
        return (
            self.gamma * total**2 / 2
            + self.epsilon * sum(map(abs, slices))
            + eta / tau * sum(one**2 for one in slices)
        )

    def variance(self, slices: list[float], tau: float) -> float:
        """Return the variance of a schedule's shortfall: V of equation (7)."""
        left, total = sum(slices), 0.0
        for one in slices:
            left -= one
            total += left**2
        return self.sigma**2 * tau * total


def kappa(costs: Costs, tau: float) -> float:
    """Return how fast the rest decays, per time: equation (18)."""
    eta = costs.eta - costs.gamma * tau / 2
    squared = costs.lam * costs.sigma**2 / eta
    return math.acosh(squared * tau**2 / 2 + 1) / tau


def trades(total: float, count: int, kappa_t: float) -> list[float]:
    """Return what is traded in each of `count` periods, where `kappa_t` is kappa times the horizon.

    With 0 they are equal: that is TWAP.
    """
    if kappa_t < SMALL:
        return [total / count] * count
    holdings = [
        total * _sinh_ratio(kappa_t * (1 - index / count), kappa_t) for index in range(count + 1)
    ]
    return [before - after for before, after in pairwise(holdings)]


def shape(count: int, urgency: Urgency) -> list[float]:
    """Return the weights of `count` slices."""
    return trades(1.0, count, KAPPA_T[urgency])


def _sinh_ratio(one: float, other: float) -> float:
    """Return sinh(one) / sinh(other), of numbers however large."""
    return math.exp(one - other) * math.expm1(-2 * one) / math.expm1(-2 * other)
