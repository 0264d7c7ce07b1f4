"""Random offers for the tests of prices, and what an order costs by other means."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from dragonfly_common.types import OrderSide
from dragonfly_pricing.offers import Offer, to_decimal
from hypothesis import strategies as st

SIDES = st.sampled_from(OrderSide)
FEES = st.sampled_from(["0", "-1", "7.5", "10", "26", "30"]).map(Decimal)
CENT = Decimal("0.01")


@st.composite
def offers_of(
    draw: st.DrawFn, side: OrderSide, *, most: int = 4, ruled: bool = False, fees: bool = True
) -> list[Offer]:
    """Draw venues whose levels lie close together, so that equal prices are common.

    With `ruled` they have lots, and perhaps least orders; a level is of whole lots or not.
    """
    offers = []
    for name in range(draw(st.integers(1, most))):
        ticks = sorted(draw(st.sets(st.integers(9_980, 10_020), max_size=5)))
        if side is OrderSide.SELL:
            ticks.reverse()
        amounts = [draw(st.integers(1, 40)) / 10 for _ in ticks]
        lot = draw(st.sampled_from(["0.1", "0.2", "0.5", "1"])) if ruled else None
        offers.append(
            Offer(
                f"venue{name}",
                [(tick / 100, amount) for tick, amount in zip(ticks, amounts, strict=True)],
                draw(FEES) if fees else Decimal(0),
                lot=None if lot is None else Decimal(lot),
                min_amount=draw(st.sampled_from([None, Decimal(2)])) if ruled else None,
                min_notional=draw(st.sampled_from([None, Decimal(150)])) if ruled else None,
            )
        )
    return offers


def worth(side: OrderSide, offer: Offer, amount: Fraction) -> Fraction | None:
    """Return the money with fees that `amount` of one offer costs or brings; None if too deep."""
    fee = Fraction(offer.fee_bps) / 10_000
    factor = 1 + fee if side is OrderSide.BUY else 1 - fee
    money = Fraction(0)
    for price, size in offer.levels:
        part = min(Fraction(to_decimal(size)), amount)
        money += part * Fraction(to_decimal(price)) * factor
        amount -= part
        if not amount:
            return money
    return None if amount else money


def sorted_walk(
    side: OrderSide, offers: Sequence[Offer], size: Fraction
) -> tuple[Fraction, Fraction]:
    """Return (filled, money) of the order of net prices, in fractions."""
    levels = []
    for offer in offers:
        fee = Fraction(offer.fee_bps) / 10_000
        for price, size_there in offer.levels:
            net = Fraction(to_decimal(price)) * (1 + fee if side is OrderSide.BUY else 1 - fee)
            levels.append((side.sign * net, Fraction(to_decimal(size_there))))
    filled = money = Fraction(0)
    for key, amount in sorted(levels):
        part = min(amount, size - filled)
        filled += part
        money += part * abs(key)
    return filled, money
