from __future__ import annotations

from dragonfly_venues.transport.pace import Pace
from hypothesis import given
from hypothesis import strategies as st


def test_places_are_spread_evenly() -> None:
    pace = Pace(per_second=4)
    assert [pace.take(100.0) for _ in range(3)] == [0.0, 0.25, 0.5]
    assert pace.wait_s(100.0) == 0.75
    assert pace.wait_s(101.0) == 0.0


def test_a_burst_is_allowed_after_a_rest() -> None:
    pace = Pace(per_second=1, burst=3)
    assert [pace.take(50.0) for _ in range(4)] == [0.0, 0.0, 0.0, 1.0]


@given(
    st.integers(1, 20),
    st.integers(1, 5),
    st.lists(st.floats(0.0, 0.5), min_size=1, max_size=100),
)
def test_no_second_holds_more_than_rate_and_burst(
    rate: int, burst: int, pauses: list[float]
) -> None:
    pace = Pace(rate, burst)
    now, sent = 1000.0, []
    for pause in pauses:
        now += pause
        sent.append(now + pace.take(now))
    for start in sent:
        assert sum(start <= at < start + 1.0 - 1e-6 for at in sent) <= rate + burst
