"""How long a silence must be before it is questioned."""

from __future__ import annotations

from itertools import accumulate

from feed_listener.rhythm import LEAST_PATIENCE_S, LOOK_EVERY, MOST_GAPS, TIMES, Rhythm
from hypothesis import given
from hypothesis import strategies as st

GAPS = st.floats(min_value=0.001, max_value=600.0)


def rhythm_of(gaps: list[float]) -> Rhythm:
    rhythm = Rhythm(0.0)
    for at in accumulate(gaps):
        rhythm.heard(at)
    return rhythm


@given(st.lists(GAPS, min_size=LOOK_EVERY, max_size=MOST_GAPS - 1))
def test_patience_is_eight_times_the_99th_percentile(gaps: list[float]) -> None:
    counted = sorted(gaps[: len(gaps) // LOOK_EVERY * LOOK_EVERY])
    usual = counted[-1 - len(counted) // 100]
    patience = rhythm_of(gaps).patience_s
    # A size is half an octave; the gap comes back from differences of times.
    assert max(LEAST_PATIENCE_S, TIMES * usual * 0.999) <= patience
    assert patience <= max(LEAST_PATIENCE_S, TIMES * usual * 1.42)


@given(st.lists(st.floats(min_value=0.0, max_value=1e9), max_size=3 * MOST_GAPS))
def test_no_gap_is_too_short_or_too_long(gaps: list[float]) -> None:
    assert rhythm_of(gaps).patience_s >= LEAST_PATIENCE_S


def test_a_feed_that_becomes_faster_is_questioned_sooner() -> None:
    rhythm = rhythm_of([10.0] * MOST_GAPS + [0.02] * 20 * MOST_GAPS)
    assert rhythm.patience_s == LEAST_PATIENCE_S


def test_fifty_a_second_are_missed_within_half_a_second() -> None:
    rhythm = rhythm_of([0.02] * 100)
    assert rhythm.late_by(rhythm.heard_at + 0.49) < 1.0 <= rhythm.late_by(rhythm.heard_at + 0.5)


def test_a_market_that_rests_is_questioned_ever_more_seldom() -> None:
    rhythm, asked = rhythm_of([0.02] * 100), 0
    for tick in range(36_000):
        now = rhythm.heard_at + tick / 10
        if rhythm.late_by(now) >= 1.0:
            rhythm.rested(now)
            asked += 1
    assert asked == 13  # half a second, and twice as long each time


def test_what_an_answer_taught_is_forgotten_as_the_market_moves() -> None:
    rhythm = rhythm_of([0.02] * 100)
    rhythm.rested(rhythm.heard_at + 60.0)
    assert rhythm.patience_s == 120.0
    for _ in range(20 * MOST_GAPS):
        rhythm.heard(rhythm.heard_at + 0.02)
    assert rhythm.patience_s == LEAST_PATIENCE_S
