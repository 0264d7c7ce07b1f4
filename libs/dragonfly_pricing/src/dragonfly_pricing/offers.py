"""One venue's side of a book as an order meets it: levels, fee, lots and least orders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from dragonfly_common.types import OrderSide

__all__ = ["EXACT", "Number", "Offer", "Step", "floored", "to_decimal"]

EXACT: Final = Context(prec=100)
"""Products and sums of a book's numbers and fees have fewer digits: none is rounded."""

Number = float | Decimal
"""A double stands for the decimal number that its shortest text says."""

_BPS: Final = Decimal("0.0001")


Step = tuple[Decimal, Decimal, int, Decimal]
"""One level in the order in which an order takes levels: (key, -amount, the offer's place, price).
The key is the price after the fee, of a sell times -1. Of equal keys the largest goes first."""


class Offer(NamedTuple):
    """What one venue shows of the side that an order takes.

    `levels` are (price, amount), best first: who walks goes through them once, and no further than
    it must. `fee_bps` is the taker fee in basis points of what is traded. Amounts are multiples of
    `lot`; an order is of `min_amount` and `min_notional` (price times amount) at least. None: the
    venue has no such rule.
    """

    venue: str
    levels: Iterable[tuple[Number, Number]]
    fee_bps: Decimal = Decimal(0)
    instrument: str = ""
    """The venue's own, where the order's is an equivalence."""
    lot: Decimal | None = None
    min_amount: Decimal | None = None
    min_notional: Decimal | None = None

    def steps(self, side: OrderSide, at: int) -> Iterator[Step]:
        """Yield the levels in order, a step each; together they are never but whole lots.

        The context in which this goes on has to be EXACT.
        """
        by, lot = side.sign + self.fee_bps * _BPS, self.lot
        held = whole = Decimal(0)
        for price, amount in self.levels:
            exact, size = to_decimal(price), to_decimal(amount)
            if lot is not None:
                held += size
                before, whole = whole, floored(held, lot)
                size = whole - before
            yield exact * by, -size, at, exact


def floored(amount: Decimal, step: Decimal | None) -> Decimal:
    """Return the largest multiple of `step` that is not above `amount`."""
    return amount if step is None else EXACT.multiply(EXACT.divide_int(amount, step), step)


@lru_cache(maxsize=1 << 16)
def to_decimal(number: Number) -> Decimal:
    """Return the number that a double's shortest text says: the venue's, up to 15 digits."""
    return number if isinstance(number, Decimal) else Decimal(repr(number))
