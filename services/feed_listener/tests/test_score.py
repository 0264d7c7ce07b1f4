from __future__ import annotations

import pytest
from feed_listener.audit.score import WINDOW_S, Score
from hypothesis import given
from hypothesis import strategies as st

STEP_S = 10.0


def shares(score: Score) -> tuple[float | None, float | None]:
    return score.recent, score.total


def test_without_a_comparison_there_is_no_score() -> None:
    score = Score()
    score.move(5.0)
    assert shares(score) == (None, None)


def test_the_window_forgets_and_the_total_does_not() -> None:
    score = Score()
    score.note(3.0, agreed=False)
    score.note(4.0, agreed=True)
    assert shares(score) == (0.5, 0.5)
    score.move(WINDOW_S - 1)
    assert shares(score) == (0.5, 0.5)
    score.move(WINDOW_S)
    assert shares(score) == (None, 0.5)


@given(st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=40))
def test_the_score_is_the_share_of_the_steps_within_the_window(
    audits: list[tuple[float, bool]],
) -> None:
    score = Score()
    now = 0.0
    told: list[tuple[int, bool]] = []
    for pause_s, agreed in audits:
        now += pause_s
        score.note(now, agreed=agreed)
        told.append((int(now / STEP_S), agreed))
    within = [agreed for step, agreed in told if step > int(now / STEP_S) - WINDOW_S / STEP_S]
    recent = sum(within) / len(within) if within else None
    total = sum(agreed for _, agreed in told) / len(told) if told else None
    assert score.recent == (pytest.approx(recent) if recent is not None else None)
    assert score.total == (pytest.approx(total) if total is not None else None)
