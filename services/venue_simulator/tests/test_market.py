"""The seeded market: the same for the same seed, and always a book that could be real."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venue_simulator.book import Levels
from venue_simulator.catalogue import CATALOGUE, Asset, invent
from venue_simulator.market import BookWalk
from venue_simulator.venues import VENUES

ETH_BTC = CATALOGUE[0]


def walk(venue: str, asset: Asset = ETH_BTC, seed: int = 1) -> BookWalk:
    return BookWalk(asset, VENUES[venue].list_asset(asset), venue, seed)


def middle(bids: Levels, asks: Levels) -> float:
    return (float(bids[0][0]) + float(asks[0][0])) / 2


def assert_book(bids: Levels, asks: Levels, price_decimals: int, amount_decimals: int) -> None:
    assert len(bids) >= 100
    assert len(asks) >= 100
    assert float(bids[0][0]) < float(asks[0][0])
    for side, sign in ((bids, -1), (asks, 1)):
        for better, worse in pairwise(side):
            assert sign * float(better[0]) < sign * float(worse[0])
        for price, amount in side:
            assert float(price) > 0
            assert float(amount) > 0
            assert len(price.partition(".")[2]) == price_decimals
            assert len(amount.partition(".")[2]) == amount_decimals


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_a_seed_says_it_all(venue: str) -> None:
    one, same, other = walk(venue), walk(venue), walk(venue, seed=2)
    steps = [one.step() for _ in range(50)]
    assert steps == [same.step() for _ in range(50)]
    assert steps != [other.step() for _ in range(50)]


@pytest.mark.parametrize("venue", sorted(VENUES))
@pytest.mark.parametrize("asset", CATALOGUE, ids=lambda asset: asset.instrument)
def test_every_instrument_has_a_possible_book(venue: str, asset: Asset) -> None:
    listing = VENUES[venue].list_asset(asset)
    steps = walk(venue, asset)
    for _ in range(30):
        assert_book(*steps.step(), listing.price_decimals, listing.amount_decimals)


@settings(max_examples=25)
@given(st.integers(), st.sampled_from(sorted(VENUES)), st.sampled_from(["ABC-USD", "X-BTC"]))
def test_so_has_any_name_and_seed(seed: int, venue: str, instrument: str) -> None:
    asset = invent(instrument, seed)
    listing = VENUES[venue].list_asset(asset)
    steps = walk(venue, asset, seed)
    for _ in range(10):
        assert_book(*steps.step(), listing.price_decimals, listing.amount_decimals)


def test_venues_follow_one_price_and_cross_each_other_at_times() -> None:
    walks = [walk(venue) for venue in sorted(VENUES)]
    crossed, furthest = 0, 0.0
    for _ in range(2000):
        books = [each.step() for each in walks]
        middles = [middle(*book) for book in books]
        furthest = max(furthest, max(middles) / min(middles) - 1)
        best_bid = max(float(bids[0][0]) for bids, _ in books)
        best_ask = min(float(asks[0][0]) for _, asks in books)
        crossed += best_bid >= best_ask
    assert furthest < 0.002
    assert 0 < crossed < 1500


def test_the_price_drifts_and_comes_back() -> None:
    steps = walk("binance")
    middles = [middle(*steps.step()) for _ in range(5000)]
    assert max(middles) / min(middles) > 1.002
    assert all(abs(each / ETH_BTC.price - 1) < 0.2 for each in middles)


@pytest.mark.parametrize(
    ("instrument", "of", "over", "units"),
    [("BTC-USDT", "BTC-USD", "USDT-USD", 1.0), ("1000DOGE-USD", "DOGE-USD", None, 1000.0)],
)
def test_the_same_in_other_money_or_units_has_the_same_price(
    instrument: str, of: str, over: str | None, units: float
) -> None:
    assets = {asset.instrument: asset for asset in CATALOGUE}
    one, whole = walk("okx", assets[instrument]), walk("okx", assets[of])
    money = walk("okx", assets[over]) if over else None
    moved = 0.0
    for _ in range(2000):
        rate = middle(*money.step()) if money else 1.0
        ratio = middle(*one.step()) * rate / middle(*whole.step()) / units
        moved = max(moved, abs(ratio - 1.0))
    assert moved < 0.002


def test_most_steps_change_the_top_and_some_do_not() -> None:
    steps = walk("kraken")
    tops = [(bids[:10], asks[:10]) for bids, asks in (steps.step() for _ in range(1000))]
    changed = sum(before != after for before, after in pairwise(tops))
    assert 600 < changed < 1000
