"""Quantiles against the exact ones of the same samples."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from terminal.histogram import LONGEST_NS, OCTAVES, Histogram

BOUND = 1 / 2048

durations = st.one_of(
    st.integers(-5, 5_000),
    st.integers(0, 2 * LONGEST_NS),
    # Beside the edges of buckets.
    st.builds(lambda power, beside: (1 << power) + beside, st.integers(0, 42), st.integers(-2, 2)),
)


@given(st.lists(durations, min_size=1, max_size=1200))
@example([1_000_003] * 1000)
@example([*range(2049)])
def test_quantiles_are_within_their_bound_of_the_exact_ones(values: list[int]) -> None:
    histogram = Histogram()
    assert histogram.distribution() is None
    for value in values:
        histogram.add(value)
    found = histogram.distribution()
    assert found is not None
    ordered = sorted(min(max(0, value), LONGEST_NS) for value in values)
    for per_mille, quantile_ns in (
        (500, found.p50_ns),
        (900, found.p90_ns),
        (990, found.p99_ns),
        (999, found.p999_ns),
    ):
        # The smallest sample that has the share at or below it.
        exact_ns = next(
            value
            for place, value in enumerate(ordered, 1)
            if place * 1000 >= per_mille * len(ordered)
        )
        assert abs(quantile_ns - exact_ns) <= exact_ns * BOUND
        assert exact_ns >= 2048 or quantile_ns == exact_ns
        assert quantile_ns <= found.max_ns
    assert found.max_ns == ordered[-1]
    assert found.below_zero == sum(value < 0 for value in values)
    assert found.count == sum(found.octaves) == len(values)
    assert len(found.octaves) == OCTAVES


@pytest.mark.parametrize(
    ("value_ns", "octave"),
    [
        *((0, 0), (1, 0), (4_000, 0), (4_002, 1), (8_000, 1), (8_004, 2)),
        *((4_000 << 18, 18), (1_100_000_000, 19), (LONGEST_NS, 19), (9 * LONGEST_NS, 19)),
    ],
)
def test_an_octave_ends_at_twice_the_one_before(value_ns: int, octave: int) -> None:
    histogram = Histogram()
    histogram.add(value_ns)
    found = histogram.distribution()
    assert found is not None
    assert found.octaves.index(1) == octave


def test_an_octave_holds_what_it_says() -> None:
    histogram = Histogram()
    for value in (3_000, 5_000, 7_000, 1_000_000, 2_000_000_000, 3_000_000_000_000):
        histogram.add(value)
    found = histogram.distribution()
    assert found is not None
    assert found.octaves[:2] == (1, 2)
    assert found.octaves[-1] == 2


def test_a_long_run_has_bounded_memory() -> None:
    histogram = Histogram()
    for power in range(42):
        for sample in range(1 << 12):
            histogram.add((1 << power) + (sample << power >> 12))
    assert len(histogram._buckets) <= 34_000
