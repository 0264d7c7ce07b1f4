"""Schedules: the paper's vectors, lots and minimums, catching up, the same after a restart."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    Algorithm,
    ImplementationShortfall,
    Liquidate,
    Sweep,
    Twap,
    Urgency,
)
from execution_engine.algorithms.almgren_chriss import Costs, kappa, shape, trades
from execution_engine.algorithms.schedules import schedule_of, sliced
from execution_engine.rows import ParentOpened
from hypothesis import given
from hypothesis import strategies as st

S_NS = 10**9
LOT = Decimal("0.01")


@pytest.mark.parametrize(
    ("lam", "its_kappa", "slices", "expected", "deviation"),
    [
        (0.0, 0.0, [200000] * 5, 662_500, 1_040_673),
        (1e-6, 0.60708, [458044, 252101, 141957, 85756, 62142], 911_227, 603_431),
        (2e-6, 0.84630, [571401, 245666, 106637, 48652, 27643], 1_140_715, 449_368),
        (1e-5, 1.72671, [822132, 146232, 26015, 4652, 969], 1_845_211, 171_712),
    ],
)
def test_the_schedule_is_that_of_almgren_and_chriss(
    lam: float, its_kappa: float, slices: list[int], expected: int, deviation: int
) -> None:
    """Their base case: a million shares, five days, sigma 0.95, eta 2.5e-6, gamma 2.5e-7."""
    costs = Costs(sigma=0.95, eta=2.5e-6, gamma=2.5e-7, epsilon=0.0625, lam=lam)
    found = kappa(costs, 1.0)
    assert found == pytest.approx(its_kappa, abs=5e-6)
    plan = trades(1e6, 5, found * 5)
    assert plan == pytest.approx(slices, abs=0.51)
    assert costs.expected(plan, 1.0) == pytest.approx(expected, abs=0.51)
    assert math.sqrt(costs.variance(plan, 1.0)) == pytest.approx(deviation, abs=0.51)


def test_all_at_once_costs_most_and_risks_nothing() -> None:
    costs = Costs(sigma=0.95, eta=2.5e-6, gamma=2.5e-7, epsilon=0.0625, lam=1e-6)
    at_once = [1e6, 0.0, 0.0, 0.0, 0.0]
    assert costs.expected(at_once, 1.0) == pytest.approx(2_562_500)
    assert costs.variance(at_once, 1.0) == 0


@pytest.mark.parametrize(
    ("urgency", "share"), [(Urgency.LOW, 0.30), (Urgency.MEDIUM, 0.54), (Urgency.HIGH, 0.78)]
)
def test_the_more_urgent_the_more_comes_in_the_first_quarter(
    urgency: Urgency, share: float
) -> None:
    weights = shape(4000, urgency)
    assert sum(weights) == pytest.approx(1)
    assert sum(weights[:1000]) == pytest.approx(share, abs=0.01)


@given(
    quantity=st.integers(1, 10**7).map(lambda lots: lots * LOT),
    weights=st.lists(st.floats(0.001, 10), min_size=1, max_size=60),
    least=st.integers(1, 5000).map(lambda lots: lots * LOT),
)
def test_slices_make_up_the_quantity_and_none_is_unsellable(
    quantity: Decimal, weights: list[float], least: Decimal
) -> None:
    planned = sliced(quantity, weights, LOT, least)
    slices = [amount for _, amount in planned]
    assert sum(slices) == quantity
    assert [index for index, _ in planned] == sorted({index for index, _ in planned})
    assert all(one % LOT == 0 for one in slices)
    assert all(one >= min(least, quantity) for one in slices)


def opened(algorithm: Algorithm, quantity: str = "12") -> ParentOpened:
    order = Liquidate("a", "ETH-BTC", OrderSide.SELL, Decimal(quantity), algorithm)
    return ParentOpened("parent-1", "alice", order, 100 * S_NS, LOT, Decimal(1), None)


def test_a_twap_is_due_slice_by_slice_and_all_by_its_end() -> None:
    one = opened(Twap(end_ns=160 * S_NS, interval_s=10, randomise=0))
    schedule = schedule_of(one, Decimal(12))
    assert [t // S_NS for t in schedule.times_ns] == [100, 110, 120, 130, 140, 150]
    assert [schedule.due(t * S_NS) for t in (99, 100, 109, 110, 155)] == [0, 2, 2, 4, 12]
    assert schedule.most_at_once == 6
    assert schedule.slice_begin_ns(99 * S_NS) == 0
    assert schedule.slice_begin_ns(155 * S_NS) == 150 * S_NS


def test_jitter_is_the_orders_own_and_the_same_after_a_restart() -> None:
    twap = Twap(end_ns=400 * S_NS, interval_s=10, randomise=0.5)
    one, again = (schedule_of(opened(twap, "120"), Decimal(120)) for _ in range(2))
    assert one == again
    assert one.times_ns == tuple(sorted(one.times_ns))
    assert one.times_ns[0] == 100 * S_NS
    assert max(one.times_ns) < 400 * S_NS
    gaps = {b - a for a, b in zip(one.times_ns, one.times_ns[1:], strict=False)}
    assert len(gaps) > 5


def test_a_slice_too_small_for_any_venue_waits_for_the_next() -> None:
    one = opened(Twap(end_ns=200 * S_NS, interval_s=1, randomise=0), "3")
    assert len(schedule_of(one, Decimal(3)).times_ns) == 3


def test_a_sweep_is_due_at_once() -> None:
    assert schedule_of(opened(Sweep()), Decimal(12)).due(100 * S_NS) == 12


def test_implementation_shortfall_sends_more_at_first() -> None:
    one = opened(ImplementationShortfall(end_ns=160 * S_NS, interval_s=10), "120")
    cumulative = schedule_of(one, Decimal(120)).cumulative
    slices = [b - a for a, b in zip((Decimal(0), *cumulative), cumulative, strict=False)]
    assert slices == sorted(slices, reverse=True)
    assert cumulative[-1] == 120
