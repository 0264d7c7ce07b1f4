"""What it costs to buy or sell several sizes now, level by level in the order of net prices. Pure.

The sum to be spent or raised is separable and linear in what is taken of each level, so the order
of prices after fees is the cheapest there is. What is not shown is never assumed: where the levels
end before the size is reached, the answer is of what there is, and says that it is incomplete.

Everything is exact until an answer is made, and rounded there once, against who asks: what is paid
up, what is received down.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal, localcontext
from heapq import heapify, heappop, heapreplace
from itertools import count, islice
from typing import Final, NamedTuple

from dragonfly_common.types import OrderSide

from dragonfly_pricing.offers import EXACT, Offer, floored

__all__ = ["Execution", "Fill", "walk"]

DIGITS: Final = 12
"""Significant ones of an answer."""
BPS_STEP: Final = Decimal("0.0001")
FINEST_AMOUNT: Final = Decimal("1e-8")
"""What an amount that is computed from money is rounded down to, where the lot is not known."""

_NOTHING: Final = Decimal(0)
_UP: Final = Context(prec=DIGITS, rounding=ROUND_CEILING)
_DOWN: Final = Context(prec=DIGITS, rounding=ROUND_FLOOR)


class Fill(NamedTuple):
    """One venue's part: `gross_avg` and `worst` are prices before fees, `fee` is quote currency.

    `exhausted` says that all is taken that the venue shows: it may have more, perhaps cheaper than
    what was taken elsewhere.
    """

    venue: str
    instrument: str
    amount: Decimal
    gross_avg: Decimal
    worst: Decimal
    fee: Decimal
    fee_bps: Decimal
    exhausted: bool


class Execution(NamedTuple):
    """What a size costs.

    `filled` is base currency; `money` is what is paid or received with all fees, in the quote
    currency. The averages are per unit of base, None where nothing is filled. `cost_bps` is how
    much worse than the mid `net_avg` is, in ten-thousandths, negative where it is better.
    """

    size: Decimal
    complete: bool
    filled: Decimal
    money: Decimal
    gross_avg: Decimal | None
    net_avg: Decimal | None
    worst: Decimal | None
    fee_total: Decimal
    cost_bps: Decimal | None
    fills: tuple[Fill, ...]


_Taken = tuple[Decimal, Decimal, Decimal, bool]
"""Of an offer, so far: (amount, its price before fees, the worst level's price, exhausted)."""

_UNTAKEN: Final[_Taken] = (_NOTHING, _NOTHING, _NOTHING, False)


def walk(
    side: OrderSide,
    offers: Sequence[Offer],
    sizes: Sequence[Decimal],
    *,
    in_quote: bool = False,
    mid: Decimal | None = None,
) -> list[Execution]:
    """Return what each of `sizes` costs, in their order; one walk serves them all.

    A size is of base currency; with `in_quote` it is money with all fees: what is spent by a buy,
    and received by a sell. Amounts are whole lots of each venue; the last venue takes the rest of
    a size of base currency as it is.
    """
    answers: dict[int, Execution] = {}
    # The last one is the smallest.
    waiting = sorted(zip(sizes, count()), reverse=True)
    with localcontext(EXACT):
        steps = [offer.steps(side, at) for at, offer in enumerate(offers)]
        heap = [first for one in steps for first in islice(one, 1)]
        heapify(heap)
        taken = [_UNTAKEN] * len(offers)
        reached = _NOTHING
        while heap and waiting:
            key, less, at, price = heap[0]
            following = next(steps[at], None)
            if following is None:
                heappop(heap)
            else:
                heapreplace(heap, following)
            amount, gross, worst, _ = taken[at]
            end = reached - (less * abs(key) if in_quote else less)
            while waiting and waiting[-1][0] <= end:
                size, place = waiting.pop()
                part = size - reached
                if in_quote:
                    part = floored(part / abs(key), offers[at].lot or FINEST_AMOUNT)
                all_of_it = following is None and part == -less
                taken[at] = amount + part, gross + part * price, price if part else worst, all_of_it
                answers[place] = _answer(side, offers, taken, size, mid, complete=True)
            taken[at] = amount - less, gross - less * price, price if less else worst, not following
            reached = end
        for size, place in waiting:
            answers[place] = _answer(side, offers, taken, size, mid, complete=False)
    return [answers[place] for place in range(len(sizes))]


def _answer(
    side: OrderSide,
    offers: Sequence[Offer],
    taken: Sequence[_Taken],
    size: Decimal,
    mid: Decimal | None,
    *,
    complete: bool,
) -> Execution:
    """Return what was taken as the answer for `size`."""
    filled = gross = fee = _NOTHING
    used = []
    for offer, (amount, money, worst, exhausted) in zip(offers, taken, strict=True):
        filled += amount
        gross += money
        if amount:
            exact = money * offer.fee_bps / 10_000
            fee += exact
            used.append((offer, amount, money, worst, exhausted, exact))
    if not used:
        return Execution(size, False, _NOTHING, _NOTHING, None, None, None, _NOTHING, None, ())
    against, worse, sign = (_UP, max, 1) if side is OrderSide.BUY else (_DOWN, min, -1)
    net = gross + fee * sign
    left = fee_total = _UP.plus(fee)
    fills: list[Fill] = []
    for offer, amount, money, worst, exhausted, exact in used:
        # The last one takes the remainder.
        last = len(fills) + 1 == len(used)
        share = left if last else exact.quantize(fee_total, ROUND_DOWN)
        left -= share
        fills.append(
            Fill(
                offer.venue,
                offer.instrument,
                amount,
                against.divide(money, amount),
                worst,
                share,
                offer.fee_bps,
                exhausted,
            )
        )
    cost = None
    if mid is not None:
        at_mid = mid * filled
        cost = ((net - at_mid) * (10_000 * sign) / at_mid).quantize(BPS_STEP, ROUND_CEILING)
    return Execution(
        size,
        complete,
        filled,
        against.plus(net),
        against.divide(gross, filled),
        against.divide(net, filled),
        worse([fill.worst for fill in fills]),
        fee_total,
        cost,
        tuple(fills),
    )
