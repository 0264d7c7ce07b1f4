"""The cheapest split of an order over venues that keep lots and least orders. Pure.

Without such rules the walk in the order of net prices is the optimum. With them it is the bound of
a search by branch and bound: where a venue's amount breaks its rule, one branch allows less of it
and the other demands more, and the walk within those limits says what either can cost at best. The
first plan that breaks no rule is the optimum, because plans are looked at in the order of their
bounds: the most filled first, then the cheapest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from heapq import heappop, heappush, merge
from itertools import count
from typing import Final

from dragonfly_common.types import OrderSide

from dragonfly_pricing.offers import EXACT, Offer, Step, floored, to_decimal
from dragonfly_pricing.walking import FINEST_AMOUNT

__all__ = ["Split", "best_split"]

MOST_PLANS: Final = 20_000
"""How many are looked at; venues whose lots are multiples of each other need a few dozen."""


@dataclass(frozen=True)
class Split:
    """An order's parts. `rest` is what of it no allowed order fills.

    `proven` says that no other split fills more, or as much for less.
    """

    amounts: tuple[Decimal, ...]
    """Of each offer, in their order; 0 where nothing is to be ordered."""
    rest: Decimal
    proven: bool


Limits = tuple[tuple[Decimal, Decimal], ...]
"""Of each offer the least and the most."""


def best_split(side: OrderSide, offers: Sequence[Offer], quantity: Decimal) -> Split:
    """Return how much of `quantity`, of base currency, to order of each of `offers`.

    Amounts are whole lots, and orders no less than each venue takes. A least notional is kept at
    every price that the venue shows, so that the order's own limit price does not matter. The
    levels are gone through more than once.
    """
    with localcontext(EXACT):
        amounts, proven = _search(side, offers, quantity)
        return Split(amounts, quantity - sum(amounts), proven)


def _search(
    side: OrderSide, offers: Sequence[Offer], quantity: Decimal
) -> tuple[tuple[Decimal, ...], bool]:
    steps = [list(offer._replace(lot=None).steps(side, at)) for at, offer in enumerate(offers)]
    least = [_least(offer) for offer in offers]
    most = [floored(_sum(one), offer.lot) for one, offer in zip(steps, offers, strict=True)]
    usable = [amount >= low and amount > 0 for amount, low in zip(most, least, strict=True)]
    lots = [offer.lot for offer, use in zip(offers, usable, strict=True) if use]
    target = floored(quantity, _common_step([lot for lot in lots if lot]) if all(lots) else None)
    tie = count()
    waiting: list[tuple[Decimal, Decimal, int, tuple[Decimal, ...], Limits]] = []

    def look(limits: Limits) -> None:
        amounts = _relaxed(steps, limits, target)
        if amounts is not None:
            bound = (target - sum(amounts), _cost(steps, amounts))
            heappush(waiting, (*bound, next(tie), amounts, limits))

    look(
        tuple(
            (Decimal(0), top if use else Decimal(0)) for top, use in zip(most, usable, strict=True)
        )
    )
    best: tuple[Decimal, Decimal, tuple[Decimal, ...]] | None = None
    for _ in range(MOST_PLANS):
        *_, amounts, limits = heappop(waiting)
        broken = next(
            (
                at
                for at, amount in enumerate(amounts)
                if not _allowed(offers[at], least[at], amount)
            ),
            None,
        )
        if broken is None:
            return amounts, True
        allowed = tuple(
            _lowered(offer, low, amount)
            for offer, low, amount in zip(offers, least, amounts, strict=True)
        )
        plan = (target - sum(allowed), _cost(steps, allowed), allowed)
        best = plan if best is None else min(best, plan)
        low, high = limits[broken]
        below = _lowered(offers[broken], least[broken], amounts[broken])
        above = _raised(offers[broken], least[broken], amounts[broken])
        for limit in ((low, below), (above, high)):
            if limit[0] <= limit[1]:
                look((*limits[:broken], limit, *limits[broken + 1 :]))
    assert best is not None
    return best[2], False


def _relaxed(
    steps: Sequence[Sequence[Step]], limits: Limits, target: Decimal
) -> tuple[Decimal, ...] | None:
    """Return the cheapest amounts within `limits` if they may be any; None if there are none."""
    amounts = [low for low, _ in limits]
    left = target - sum(amounts)
    if left < 0:
        return None
    passed = [Decimal(0)] * len(steps)
    for _, less, at, _ in merge(*steps):
        # What the least amount takes of a venue is its best levels.
        begin, passed[at] = passed[at], passed[at] - less
        least, most = limits[at]
        room = min(passed[at], most) - max(begin, least)
        if room > 0:
            part = min(room, left)
            amounts[at] += part
            left -= part
            if not left:
                break
    return tuple(amounts)


def _cost(steps: Sequence[Sequence[Step]], amounts: Sequence[Decimal]) -> Decimal:
    cost = Decimal(0)
    for one, amount in zip(steps, amounts, strict=True):
        left = amount
        for key, less, _, _ in one:
            part = min(-less, left)
            cost += part * key
            left -= part
            if not left:
                break
    return cost


def _least(offer: Offer) -> Decimal:
    """Return the least amount of an order that is any, a multiple of the lot."""
    least = offer.min_amount or Decimal(0)
    lowest = min((to_decimal(price) for price, _ in offer.levels), default=None)
    if offer.min_notional and lowest:
        least = max(least, offer.min_notional / lowest)
    return _ceiled(least, offer.lot or FINEST_AMOUNT)


def _allowed(offer: Offer, least: Decimal, amount: Decimal) -> bool:
    return not amount or (amount >= least and floored(amount, offer.lot) == amount)


def _lowered(offer: Offer, least: Decimal, amount: Decimal) -> Decimal:
    lower = floored(amount, offer.lot)
    return lower if lower >= least else Decimal(0)


def _raised(offer: Offer, least: Decimal, amount: Decimal) -> Decimal:
    return max(least, _ceiled(amount, offer.lot))


def _ceiled(amount: Decimal, step: Decimal | None) -> Decimal:
    return amount if step is None else (amount / step).to_integral_value(ROUND_CEILING) * step


def _common_step(lots: Sequence[Decimal]) -> Decimal | None:
    """Return the largest amount that each of `lots` is a multiple of."""
    step = Decimal(0)
    for lot in lots:
        rest = lot
        while rest:
            step, rest = rest, step % rest
    return step or None


def _sum(steps: Sequence[Step]) -> Decimal:
    return sum((-less for _, less, _, _ in steps), Decimal(0))
