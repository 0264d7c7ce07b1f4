"""What a book is asked in numbers, against exact fractions of the same levels."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from fractions import Fraction
from itertools import accumulate

import pytest
from dragonfly_client import Bbo, Book, Level, Liquidity, SettingError
from dragonfly_client._decode import decode_book, decode_liquidity
from hypothesis import given
from hypothesis import strategies as st
from stub_gateway import make_book, make_liquidity

amounts = st.floats(min_value=1e-8, max_value=1e6)
sides = st.lists(
    st.builds(
        Level,
        st.sampled_from(("binance", "kraken")),
        st.floats(min_value=1e-8, max_value=1e6),
        amounts,
    ),
    max_size=8,
)
EMPTY = dataclasses.replace(decode_book(make_book(), ts_in=0), bids=(), asks=(), venues=())


def book_of(bids: list[Level], asks: list[Level]) -> Book:
    falling = sorted(bids, key=lambda one: -one.price)
    return dataclasses.replace(
        EMPTY, bids=tuple(falling), asks=tuple(sorted(asks, key=lambda one: one.price))
    )


books = st.builds(book_of, sides, sides)


@given(books, st.sampled_from(("buy", "sell")), amounts)
def test_a_cost_is_that_of_the_cheapest_levels(book: Book, side: str, amount: float) -> None:
    levels = book.asks if side == "buy" else book.bids
    cost = book.cost("buy" if side == "buy" else "sell", amount)
    if cost is None:
        assert list(accumulate(one.amount for one in levels))[-1:] < [amount]
        return
    left, exact = Fraction(amount), Fraction(0)
    for level in levels:
        taken = min(left, Fraction(level.amount))
        exact += taken * Fraction(level.price)
        left -= taken
    assert cost == pytest.approx(float(exact), rel=1e-9)


@given(books)
def test_all_that_is_shown_can_be_bought_and_no_more(book: Book) -> None:
    *_, shown = accumulate((one.amount for one in book.asks), initial=0.0)
    if shown:
        assert book.cost("buy", shown) is not None
    assert book.cost("buy", shown * 1.01 + 1e-9) is None


@given(books)
def test_the_microprice_lies_between_the_best_prices(book: Book) -> None:
    bid, ask = book.best_bid, book.best_ask
    bbo = Bbo(
        bid=bid,
        ask=ask,
        **{one.name: getattr(EMPTY, one.name) for one in dataclasses.fields(EMPTY)[:-2]},
    )
    assert bbo.microprice == book.microprice
    if bid is None or ask is None:
        assert book.microprice is None
        return
    assert book.microprice is not None
    low, high = sorted((bid.price, ask.price))
    assert low * (1 - 1e-9) <= book.microprice <= high * (1 + 1e-9)
    assert book.mid is not None
    if bid.price < ask.price and bid.amount > 2 * ask.amount:
        assert book.microprice >= book.mid * (1 - 1e-9)


@given(books, st.integers(1, 10))
def test_an_imbalance_names_the_heavier_side(book: Book, levels: int) -> None:
    bids, asks = (sum(one.amount for one in side[:levels]) for side in (book.bids, book.asks))
    imbalance = book.imbalance(levels)
    if imbalance is None:
        assert not bids
        assert not asks
    else:
        assert -1 <= imbalance <= 1
        assert (imbalance > 0) == (bids > asks)


@given(books)
def test_a_ccxt_book_has_each_price_once_and_all_amounts(book: Book) -> None:
    told = book.to_ccxt()
    for ours, theirs in ((book.bids, told["bids"]), (book.asks, told["asks"])):
        prices = [price for price, _ in theirs]
        assert prices == list(dict.fromkeys(one.price for one in ours))
        total = sum(amount for _, amount in theirs)
        assert total == pytest.approx(sum(one.amount for one in ours))
    assert (told["symbol"], told["nonce"]) == ("ETH/BTC", book.seq)
    at = datetime.fromisoformat(told["datetime"]).timestamp()
    assert at * 1000 == pytest.approx(told["timestamp"])
    assert told["timestamp"] == book.ts_agg // 1_000_000


def test_merged_liquidity_has_the_same_arithmetic() -> None:
    sent = make_book()
    book = decode_book(sent, ts_in=0)
    merged: Liquidity = decode_liquidity(make_liquidity(sent), ts_in=0)
    assert merged.cost("sell", 3) == book.cost("sell", 3)
    assert merged.to_ccxt() == book.to_ccxt()
    assert merged.microprice == book.microprice


@pytest.mark.parametrize(
    ("side", "amount", "told"),
    [
        ("hold", 1.0, "'hold' is not a side: give 'buy' or 'sell'"),
        ("buy", 0.0, "size 0.0: give a number above 0"),
        ("buy", float("nan"), "size nan: give a number above 0"),
        ("buy", "1", "size '1': give a number"),
    ],
)
def test_what_cannot_be_bought_is_refused(side: str, amount: object, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        EMPTY.cost(side, amount)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(SettingError, match="levels 0: give a whole number, 1 or more"):
        EMPTY.imbalance(0)
