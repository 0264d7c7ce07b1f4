"""The walk over venues' levels: its invariants, and what it says when the depth runs out."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_pricing.offers import Offer
from dragonfly_pricing.walking import Execution, walk
from hypothesis import example, given
from hypothesis import strategies as st
from pricing_world import SIDES, defined, offers_of, orders, sorted_walk, worth

SIZES = st.integers(1, 400).map(lambda tenths: Decimal(tenths) / 10)
BOOKS = SIDES.flatmap(lambda side: st.tuples(st.just(side), offers_of(side)))
RELATIVE = Fraction(1, 10**11)

BINANCE = Offer("binance", [(100.0, 2.0), (101.0, 3.0)], Decimal(10))
KRAKEN = Offer("kraken", [(99.9, 1.0), (100.9, 1.0)], Decimal(26))


def net(side: OrderSide, execution: Execution) -> Fraction:
    """Return the net average as what is better the less it is."""
    assert execution.net_avg is not None
    return side.sign * Fraction(execution.net_avg)


def is_near(rounded: Decimal, exact: Fraction) -> bool:
    return abs(Fraction(rounded) - exact) <= RELATIVE * abs(exact)


def test_a_buy_takes_the_cheapest_after_fees() -> None:
    (told,) = walk(OrderSide.BUY, [BINANCE, KRAKEN], [Decimal("2.5")], mid=Decimal(100))
    # 100 * 1.001 = 100.1 is less than 99.9 * 1.0026 = 100.15974.
    first, second = told.fills
    assert [(fill.venue, fill.amount, fill.worst) for fill in (first, second)] == [
        ("binance", Decimal(2), Decimal(100)),
        ("kraken", Decimal("0.5"), Decimal("99.9")),
    ]
    assert not first.exhausted
    assert told.complete
    assert told.filled == Decimal("2.5")
    assert told.money == Decimal("250.27987")
    assert told.gross_avg == Decimal("99.98")
    assert told.net_avg == Decimal("100.111948")
    assert told.worst == 100
    assert told.fee_total == Decimal("0.32987") == first.fee + second.fee
    assert told.cost_bps == Decimal("11.1948")


def test_where_the_depth_ends_the_answer_is_of_what_there_is() -> None:
    (told,) = walk(OrderSide.BUY, [BINANCE, KRAKEN], [Decimal(8)])
    assert not told.complete
    assert told.filled == 7
    assert all(fill.exhausted for fill in told.fills)
    assert told.cost_bps is None


@pytest.mark.parametrize("in_quote", [False, True])
def test_where_nothing_is_offered_nothing_is_filled(*, in_quote: bool) -> None:
    (told,) = walk(OrderSide.SELL, [Offer("kraken", [])], [Decimal(1)], in_quote=in_quote)
    assert not told.complete
    assert told.filled == told.money == told.fee_total == 0
    assert (told.gross_avg, told.net_avg, told.worst, told.fills) == (None, None, None, ())


def test_money_is_spent_with_its_fees() -> None:
    lot = Decimal("0.001")
    (told,) = walk(OrderSide.BUY, [BINANCE._replace(lot=lot)], [Decimal("100.15")], in_quote=True)
    assert told.complete
    assert told.filled == 1  # 1.0004… in whole lots
    assert told.money == Decimal("100.1")


def test_amounts_are_whole_lots_and_the_last_venue_takes_the_rest() -> None:
    odd = Offer("odd", [(100.0, 0.17), (101.0, 0.17)], lot=Decimal("0.1"))
    rest = Offer("rest", [(102.0, 5.0)], lot=Decimal("0.1"))
    (told,) = walk(OrderSide.BUY, [odd, rest], [Decimal("1.23")])
    assert [fill.amount for fill in told.fills] == [Decimal("0.3"), Decimal("0.93")]
    assert told.filled == Decimal("1.23")


ODD = [(100.0, 1.0), (101.0, 0.5), (102.0, 0.7), (103.0, 0.2)]
LOTS = Offer("lots", ODD, Decimal(10), lot=Decimal(1))


@given(orders())
@example((OrderSide.BUY, [LOTS], [Decimal(3)], False, None)).via("a level of no whole lot")
@example((OrderSide.BUY, [LOTS], [Decimal(130)], True, None)).via("money for no whole lot")
def test_it_is_the_definition_digit_for_digit(
    order: tuple[OrderSide, list[Offer], list[Decimal], bool, Decimal | None],
) -> None:
    side, offers, sizes, in_quote, mid = order
    assert walk(side, offers, sizes, in_quote=in_quote, mid=mid) == [
        defined(side, offers, size, in_quote=in_quote, mid=mid) for size in sizes
    ]


@given(BOOKS, st.lists(SIZES, min_size=1, max_size=6))
def test_it_is_what_the_sorted_levels_cost(
    book: tuple[OrderSide, list[Offer]], sizes: list[Decimal]
) -> None:
    side, offers = book
    for size, told in zip(sizes, walk(side, offers, sizes), strict=True):
        filled, money = sorted_walk(side, offers, Fraction(size))
        assert (told.size, Fraction(told.filled)) == (size, filled)
        assert told.complete == (filled == size)
        if not filled:
            continue
        assert is_near(told.money, money)
        # Against who asks, and each part is the cost of its order on the book as it stands.
        assert side.sign * Fraction(told.money) >= side.sign * money
        assert net(side, told) >= side.sign * money / filled
        parts = {fill.venue: fill for fill in told.fills}
        alone = [
            worth(side, offer, Fraction(parts[offer.venue].amount))
            for offer in offers
            if offer.venue in parts
        ]
        assert sum(one for one in alone if one is not None) == money
        assert None not in alone
        assert sum(fill.amount for fill in told.fills) == told.filled
        assert sum(fill.fee for fill in told.fills) == told.fee_total


@given(BOOKS, st.lists(SIZES, min_size=2, max_size=6))
def test_more_is_never_cheaper(book: tuple[OrderSide, list[Offer]], sizes: list[Decimal]) -> None:
    side, offers = book
    told = [one for one in walk(side, offers, sorted(sizes)) if one.filled]
    costs = [net(side, one) for one in told]
    assert costs == sorted(costs)


@given(BOOKS)
def test_a_tiny_size_has_the_best_price_after_fees(book: tuple[OrderSide, list[Offer]]) -> None:
    side, offers = book
    best = [
        side.sign * Fraction(repr(price)) * (1 + side.sign * Fraction(offer.fee_bps) / 10_000)
        for offer in offers
        for price, _ in offer.levels
    ]
    (told,) = walk(side, offers, [Decimal("1e-9")])
    if best:
        assert is_near(Decimal(told.net_avg or 0), abs(min(best)))


@given(SIDES.flatmap(lambda side: st.tuples(st.just(side), offers_of(side, fees=False))), SIZES)
def test_without_fees_it_is_the_walk_of_raw_prices(
    book: tuple[OrderSide, list[Offer]], size: Decimal
) -> None:
    side, offers = book
    (told,) = walk(side, offers, [size])
    levels = sorted(
        ((side.sign * price, amount) for offer in offers for price, amount in offer.levels)
    )
    left, money = Fraction(size), Fraction(0)
    for price, amount in levels:
        part = min(left, Fraction(repr(amount)))
        left, money = left - part, money + part * abs(Fraction(repr(price)))
    assert told.fee_total == 0
    assert told.gross_avg == told.net_avg
    assert is_near(told.money, money)


@given(BOOKS, SIZES)
def test_a_venue_more_never_costs_more(book: tuple[OrderSide, list[Offer]], size: Decimal) -> None:
    side, offers = book
    (whole,) = walk(side, offers, [size])
    for without in range(len(offers)):
        (told,) = walk(side, offers[:without] + offers[without + 1 :], [size])
        assert told.filled <= whole.filled
        if told.complete:
            assert net(side, whole) <= net(side, told)


@given(BOOKS, st.lists(SIZES, min_size=1, max_size=4))
def test_money_buys_what_that_much_costs(
    book: tuple[OrderSide, list[Offer]], sizes: list[Decimal]
) -> None:
    side, offers = book
    budgets = [100 * size for size in sizes]
    for budget, told in zip(budgets, walk(side, offers, budgets, in_quote=True), strict=True):
        everything, money = sorted_walk(side, offers, Fraction(10**6))
        assert told.complete == (budget <= money)
        if not told.complete:
            assert told.filled == everything
            continue
        (again,) = walk(side, offers, [told.filled])
        assert again == told._replace(size=told.filled)
        # Less than the smallest amount's worth is left over.
        _, exact = sorted_walk(side, offers, Fraction(told.filled))
        assert 0 <= Fraction(budget) - exact < Fraction(102, 10**8)


@given(BOOKS, st.lists(SIZES, min_size=1, max_size=6))
def test_sizes_together_are_told_what_each_is_alone(
    book: tuple[OrderSide, list[Offer]], sizes: list[Decimal]
) -> None:
    side, offers = book
    assert walk(side, offers, sizes) == [walk(side, offers, [size])[0] for size in sizes]
