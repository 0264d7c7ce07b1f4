"""Plans of a sweep: the optimum, within budget and share, and no rest that nobody takes."""

from __future__ import annotations

from decimal import Decimal

from dragonfly_common.types import OrderSide
from execution_engine.market import DecimalLevel, MarketRules
from execution_engine.planning import Piece, VenueOffer, spared, sweep
from hypothesis import given
from hypothesis import strategies as st

D = Decimal
ENDLESS = D(10**9)
UNIT = MarketRules("ETH", D(1), D(1))


def offer(
    venue: str,
    *levels: tuple[int, int],
    fee: str = "0",
    rules: MarketRules = UNIT,
    most: Decimal = ENDLESS,
    budget: Decimal = ENDLESS,
) -> VenueOffer:
    shown: tuple[DecimalLevel, ...] = tuple((D(price), D(amount)) for price, amount in levels)
    return VenueOffer(venue, rules, shown, D(fee), most, budget)


def test_levels_are_taken_by_their_price_net_of_fees() -> None:
    cheap, dear = offer("a", (101, 5), fee="0"), offer("b", (100, 5), fee="0.02")
    assert sweep(OrderSide.BUY, D(6), [dear, cheap]) == [
        Piece("b", D(1), D(100)),
        Piece("a", D(5), D(101)),
    ]


def test_the_limit_is_the_worst_price_that_is_taken_there() -> None:
    one = offer("a", (100, 2), (103, 2), (110, 50))
    assert sweep(OrderSide.BUY, D(3), [one]) == [Piece("a", D(3), D(103))]


def test_a_buy_can_pay_its_limit_for_all_of_it() -> None:
    one = offer("a", (100, 5), (200, 5), budget=D(1100), fee="0.1")
    (piece,) = sweep(OrderSide.BUY, D(10), [one])
    assert piece.amount * piece.limit * D("1.1") <= 1100
    assert piece == Piece("a", D(5), D(100))


def test_a_share_of_the_depth_is_all_that_is_taken() -> None:
    assert sweep(OrderSide.SELL, D(10), [offer("a", (100, 20), most=D(7))]) == [
        Piece("a", D(7), D(100))
    ]


def test_nothing_on_offer_is_no_plan() -> None:
    assert sweep(OrderSide.SELL, D(10), []) == []
    assert sweep(OrderSide.SELL, D(10), [offer("a", (100, 20), budget=D(0))]) == []


def test_a_plan_leaves_no_rest_that_nobody_takes() -> None:
    rules = {"a": MarketRules("ETH", D(1), D(1), min_amount=D(3))}
    pieces = [Piece("a", D(9), D(100))]
    assert spared(pieces, D(10), D(3), rules) == [Piece("a", D(7), D(100))]
    assert spared(pieces, D(9), D(3), rules) == pieces
    assert spared(pieces, D(12), D(3), rules) == pieces
    # Where the piece would be too small itself, it stays.
    small = [Piece("a", D(4), D(100))]
    assert spared(small, D(5), D(3), rules) == small


@given(
    books=st.lists(
        st.lists(st.tuples(st.integers(95, 105), st.integers(1, 6)), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
    fees=st.tuples(*[st.sampled_from(["0", "0.01", "0.03"])] * 3),
    quantity=st.integers(1, 30),
)
def test_on_a_frozen_book_a_sweep_costs_the_optimum(
    books: list[list[tuple[int, int]]], fees: tuple[str, str, str], quantity: int
) -> None:
    """Against a dynamic program over units, which knows nothing of levels or venues."""
    offers = [
        offer(str(at), *sorted(dict(book).items()), fee=fees[at]) for at, book in enumerate(books)
    ]
    units = sorted(
        price * (1 + one.fee) for one in offers for price, amount in one.levels
        for _ in range(int(amount))
    )  # fmt: skip
    best = [D(0)] + [ENDLESS * 10] * quantity
    for unit in units:
        for count in range(quantity, 0, -1):
            best[count] = min(best[count], best[count - 1] + unit)
    pieces = sweep(OrderSide.BUY, D(quantity), offers)
    total = sum(piece.amount for piece in pieces)
    assert total == min(quantity, len(units))
    cost = D(0)
    for piece in pieces:
        one = next(one for one in offers if one.venue == piece.venue)
        left = piece.amount
        for price, amount in one.levels:
            part = min(left, amount)
            assert not part or price <= piece.limit
            cost += part * price * (1 + one.fee)
            left -= part
    assert cost == best[int(total)]
