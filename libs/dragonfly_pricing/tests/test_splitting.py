"""The split over venues with lots and least orders, held against a dynamic program."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from dragonfly_common.types import OrderSide
from dragonfly_pricing.offers import Offer
from dragonfly_pricing.splitting import best_split
from dragonfly_pricing.walking import walk
from hypothesis import given
from hypothesis import strategies as st
from pricing_world import SIDES, offers_of, sorted_walk, worth

GRID = Fraction(1, 10)
"""All lots are multiples of it."""


def allows(offer: Offer, amount: Fraction) -> bool:
    """Say whether a venue takes an order of `amount`, whatever of its prices is the limit."""
    if offer.lot is not None and amount % Fraction(offer.lot):
        return False
    lowest = min((Fraction(repr(price)) for price, _ in offer.levels), default=Fraction(1))
    return amount >= Fraction(offer.min_amount or 0) and amount * lowest >= Fraction(
        offer.min_notional or 0
    )


def best_by_program(
    side: OrderSide, offers: list[Offer], quantity: Fraction
) -> tuple[Fraction, Fraction]:
    """Return (filled, money) of the best split, venue after venue over all totals of the grid."""
    most = int(quantity / GRID)
    best: dict[int, Fraction] = {0: Fraction(0)}
    for offer in offers:
        parts = {0: Fraction(0)}
        for units in range(1, most + 1):
            money = worth(side, offer, units * GRID)
            if money is None:
                break
            if allows(offer, units * GRID):
                parts[units] = side.sign * money
        after: dict[int, Fraction] = {}
        for total, cost in best.items():
            for units, more in parts.items():
                if total + units <= most:
                    known = after.get(total + units)
                    if known is None or cost + more < known:
                        after[total + units] = cost + more
        best = after
    filled = max(best)
    return filled * GRID, side.sign * best[filled]


@given(
    SIDES.flatmap(lambda side: st.tuples(st.just(side), offers_of(side, most=3, ruled=True))),
    st.integers(1, 200),
)
def test_the_split_is_the_best_that_the_venues_allow(
    book: tuple[OrderSide, list[Offer]], units: int
) -> None:
    side, offers = book
    quantity = Decimal(units) / 10
    split = best_split(side, offers, quantity)
    filled, money = best_by_program(side, offers, Fraction(quantity))
    assert split.proven
    assert sum(split.amounts) == filled == quantity - split.rest
    parts = list(zip(offers, map(Fraction, split.amounts), strict=True))
    assert all(allows(offer, amount) for offer, amount in parts if amount)
    assert sum(worth(side, offer, amount) or 0 for offer, amount in parts) == money


@given(SIDES.flatmap(lambda side: st.tuples(st.just(side), offers_of(side))), st.integers(1, 400))
def test_where_no_venue_has_rules_the_walk_is_the_best(
    book: tuple[OrderSide, list[Offer]], units: int
) -> None:
    side, offers = book
    quantity = Decimal(units) / 10
    split = best_split(side, offers, quantity)
    filled, money = best_by_program(side, offers, Fraction(quantity))
    assert (filled, money) == sorted_walk(side, offers, Fraction(quantity))
    (told,) = walk(side, offers, [quantity])
    assert {fill.venue: fill.amount for fill in told.fills} == {
        offer.venue: amount for offer, amount in zip(offers, split.amounts, strict=True) if amount
    }


def test_what_no_order_may_be_is_left_over() -> None:
    venue = Offer("kraken", [(100.0, 5.0)], lot=Decimal("0.5"), min_notional=Decimal(120))
    assert best_split(OrderSide.SELL, [venue], Decimal(1)).amounts == (Decimal(0),)
    split = best_split(OrderSide.SELL, [venue], Decimal("1.7"))
    assert (split.amounts, split.rest) == ((Decimal("1.5"),), Decimal("0.2"))


def test_lots_that_fit_nothing_end_the_search_with_what_was_found() -> None:
    odd = [
        Offer(f"v{at}", [(100.0 + at / 8, 1000.0)] * 1, lot=Decimal(lot))
        for at, lot in enumerate(["0.07", "0.11", "0.13"])
    ]
    split = best_split(OrderSide.BUY, odd, Decimal("999.99"))
    assert 0 <= split.rest < Decimal("0.13")
    assert sum(split.amounts) == Decimal("999.99") - split.rest
