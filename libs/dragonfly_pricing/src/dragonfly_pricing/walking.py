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
from heapq import merge
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


class _Taken:
    """What was taken of each offer so far: the prefix sums of its levels."""

    def __init__(self, offers: int) -> None:
        self.amounts = [_NOTHING] * offers
        self.gross = [_NOTHING] * offers
        self.worst = [_NOTHING] * offers
        self.levels = [0] * offers

    def take(self, at: int, price: Decimal, amount: Decimal) -> None:
        """Take more of an offer, of its next level."""
        self.amounts[at] += amount
        self.gross[at] += amount * price
        if amount:
            self.worst[at] = price

    def copy(self) -> _Taken:
        copied = _Taken(0)
        copied.amounts, copied.gross = self.amounts.copy(), self.gross.copy()
        copied.worst, copied.levels = self.worst.copy(), self.levels.copy()
        return copied


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
    waiting = sorted(range(len(sizes)), key=lambda place: sizes[place], reverse=True)
    with localcontext(EXACT):
        taken = _Taken(len(offers))
        reached = _NOTHING
        for key, less, at, price in merge(*(one.steps(side, at) for at, one in enumerate(offers))):
            if not waiting:
                break
            amount = -less
            end = reached + (amount * abs(key) if in_quote else amount)
            while waiting and sizes[waiting[-1]] <= end:
                place = waiting.pop()
                size, part = sizes[place], sizes[place] - reached
                if in_quote:
                    part = floored(part / abs(key), offers[at].lot or FINEST_AMOUNT)
                upto = taken.copy()
                upto.take(at, price, min(part, amount))
                upto.levels[at] += part >= amount
                answers[place] = _answer(side, offers, upto, size, mid, complete=True)
            reached = end
            taken.take(at, price, amount)
            taken.levels[at] += 1
        for place in waiting:
            answers[place] = _answer(side, offers, taken, sizes[place], mid, complete=False)
    return [answers[place] for place in range(len(sizes))]


def _answer(
    side: OrderSide,
    offers: Sequence[Offer],
    taken: _Taken,
    size: Decimal,
    mid: Decimal | None,
    *,
    complete: bool,
) -> Execution:
    """Return what was taken as the answer for `size`."""
    used = [at for at, amount in enumerate(taken.amounts) if amount]
    if not used:
        return Execution(size, False, _NOTHING, _NOTHING, None, None, None, _NOTHING, None, ())
    filled = sum(taken.amounts, _NOTHING)
    gross = sum(taken.gross, _NOTHING)
    fees = [taken.gross[at] * offers[at].fee_bps / 10_000 for at in used]
    fee_total = _UP.plus(sum(fees, _NOTHING))
    net = gross + side.sign * sum(fees, _NOTHING)
    net_avg = net / filled
    cost = None if mid is None else (net_avg - mid) * side.sign / mid * 10_000
    against = _UP if side is OrderSide.BUY else _DOWN
    worse = max if side is OrderSide.BUY else min
    fills = [
        Fill(
            venue=offers[at].venue,
            instrument=offers[at].instrument,
            amount=taken.amounts[at],
            gross_avg=against.divide(taken.gross[at], taken.amounts[at]),
            worst=taken.worst[at],
            fee=fee,
            fee_bps=offers[at].fee_bps,
            exhausted=taken.levels[at] == len(offers[at].levels),
        )
        for at, fee in zip(used, _shares(fees, fee_total), strict=True)
    ]
    return Execution(
        size=size,
        complete=complete,
        filled=filled,
        money=against.plus(net),
        gross_avg=against.divide(gross, filled),
        net_avg=against.plus(net_avg),
        worst=worse(taken.worst[at] for at in used),
        fee_total=fee_total,
        cost_bps=None if cost is None else cost.quantize(BPS_STEP, ROUND_CEILING),
        fills=tuple(fills),
    )


def _shares(exact: Sequence[Decimal], total: Decimal) -> list[Decimal]:
    """Return parts of `total` near to `exact`, of which the last one takes the remainder."""
    shares = [fee.quantize(total, ROUND_DOWN) for fee in exact[:-1]]
    return [*shares, total - sum(shares, _NOTHING)][: len(exact)]
