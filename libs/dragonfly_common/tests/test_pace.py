"""Rates hold, bursts are allowed after a rest, and what was said is not said again at once."""

from __future__ import annotations

from dragonfly_common.pace import SayOnce, TokenBucket
from hypothesis import given
from hypothesis import strategies as st


def test_places_are_spread_evenly() -> None:
    pace = TokenBucket(per_second=4)
    assert [pace.take(100.0) for _ in range(3)] == [0.0, 0.25, 0.5]
    assert pace.wait_s(100.0) == 0.75
    assert pace.wait_s(101.0) == 0.0


def test_a_burst_is_allowed_after_a_rest() -> None:
    pace = TokenBucket(per_second=1, burst=3)
    assert [pace.take(50.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


@given(
    st.integers(1, 20),
    st.integers(1, 5),
    st.lists(st.floats(0.0, 0.5), min_size=1, max_size=100),
)
def test_no_second_holds_more_than_rate_and_burst(
    rate: int, burst: int, pauses: list[float]
) -> None:
    pace = TokenBucket(rate, burst)
    now, sent = 1000.0, []
    for pause in pauses:
        now += pause
        sent.append(now + pace.take(now))
    for start in sent:
        assert sum(start <= at < start + 1.0 - 1e-6 for at in sent) <= rate + burst


def test_one_too_many_is_refused_and_costs_nothing() -> None:
    bucket = TokenBucket(per_second=10, burst=2)
    assert [bucket.admit(50.0) for _ in range(4)] == [True, True, False, False]
    assert [bucket.admit(50.1) for _ in range(2)] == [True, False]
    assert [bucket.admit(60.0) for _ in range(3)] == [True, True, False]


def test_each_thing_is_said_once_in_the_interval() -> None:
    once = SayOnce(again_after_s=10.0)
    assert [once.due(0.0, "a"), once.due(0.0, "b"), once.due(9.9, "a")] == [True, True, False]
    assert [once.due(10.0, "a"), once.due(19.9, "a")] == [True, False]


def test_a_flood_of_different_things_is_not_said_and_ends() -> None:
    once = SayOnce(again_after_s=10.0, most_remembered=3)
    assert sum(once.due(0.0, number) for number in range(10)) == 3
    assert once.due(10.0, "other")
