"""How old a doubt is: by the venue's clock over restarts, and in one life by the process's own."""

from __future__ import annotations

import random

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_orders.messages import ChildState
from dragonfly_venues.orders import ChildUnresolved, OrderReport
from engine_rig import Rig
from execution_engine.journal import Journal
from hypothesis import given
from hypothesis import strategies as st

SETTLES_S = 155.0
LAST_ARRIVAL_S = 1.0 + SETTLES_S
"""After an intent: it leaves within a second, and is taken for `SETTLES_S` from then."""
TIMES_OFF_S = (-1.5, 0.0, 1.5)
STEP_S = 0.5
S_NS = 10**9
START_NS = 1_700_000_000 * S_NS


class KilledEngine:
    """An order whose one placement is in doubt, and the lives of the engine that asks about it."""

    def __init__(self, *, time_off_s: float | None = 0.0, arrives: bool = False) -> None:
        """`arrives` at the last moment at which its venue takes it; else never."""
        self.time_off_s = time_off_s
        """Of the venue's time as this life knows it; None: it does not."""
        self.passed_s = 0.0
        self._arrives = arrives
        self._journal = Journal(None)
        self._rig = self._begin()
        self._rig.order("5")
        (self._placed,) = self._rig.placed
        self._rig.tell(ChildUnresolved(self._placed.child_id, "timeout"))

    def state(self) -> ChildState:
        return self._rig.child(self._placed).state

    def denials(self) -> int:
        return self._rig.child(self._placed).denials

    def again(self, *, away_s: float = 0.0, wall_off_s: int = 0) -> None:
        """Begin another life, on a machine that tells another time and has counted anew."""
        self.passed_s += away_s
        self._rig = self._begin(wall_off_s)

    def live(self, seconds: float) -> None:
        """Let time pass in which each question is answered at once, until the doubt is over."""
        queried = self._rig.venues["kraken"].queried
        until_s = self.passed_s + seconds
        while self.passed_s < until_s and self.state() is ChildState.UNKNOWN:
            self.passed_s += STEP_S
            asked = len(queried)
            self._rig.wait(STEP_S)
            if len(queried) > asked:
                there = self._arrives and self.passed_s >= LAST_ARRIVAL_S
                self._rig.tell(OrderReport(self._placed.child_id, known=there))
                assert not self.denials() or self.passed_s > LAST_ARRIVAL_S

    def _begin(self, wall_off_s: int = 0) -> Rig:
        wall_ns = START_NS + round((self.passed_s + wall_off_s) * S_NS)
        rig = Rig(clock=ManualClock(wall_ns), journal=self._journal)
        venue = rig.venues["kraken"]
        venue.settles_after_s, venue.measured_ns = SETTLES_S, self._venue_ns
        return rig

    def _venue_ns(self) -> int | None:
        off_s = self.time_off_s
        return None if off_s is None else START_NS + round((self.passed_s + off_s) * S_NS)


@given(
    life_s=st.floats(2.0, SETTLES_S),
    chance=st.randoms(use_true_random=False),
    arrives=st.booleans(),
)
def test_an_engine_that_is_killed_over_and_over_resolves_a_doubt_in_the_end_and_not_too_soon(
    life_s: float, chance: random.Random, arrives: bool
) -> None:
    engine = KilledEngine(time_off_s=chance.choice(TIMES_OFF_S), arrives=arrives)
    engine.live(life_s)
    needed = 2 if life_s >= 8.0 else 4  # in a short one a single denial counts
    while engine.state() is ChildState.UNKNOWN:
        engine.time_off_s = chance.choice(TIMES_OFF_S)
        engine.again(away_s=chance.uniform(0, 30), wall_off_s=chance.randint(-(10**6), 10**6))
        engine.live(life_s)
        assert engine.passed_s < LAST_ARRIVAL_S + needed * (life_s + 30)
    assert engine.state() is (ChildState.CLOSED if arrives else ChildState.NOT_ACCEPTED)


@pytest.mark.parametrize(
    ("then_s", "now_s"),
    [(None, 0.0), (0.0, None), (None, None), (0.0, -3600.0)],
    ids=["not known at the intent", "not known now", "never known", "went back"],
)
def test_without_the_venues_time_only_one_life_that_is_long_enough_resolves_a_doubt(
    then_s: float | None, now_s: float | None
) -> None:
    engine = KilledEngine(time_off_s=then_s)
    engine.time_off_s = now_s
    for _ in range(10):
        engine.again(wall_off_s=10**6)
        engine.live(LAST_ARRIVAL_S - 1)
    assert engine.state() is ChildState.UNKNOWN
    engine.again()
    engine.live(LAST_ARRIVAL_S + 20)
    assert engine.state() is ChildState.NOT_ACCEPTED


def test_denials_count_over_lives_and_no_two_of_them_at_once() -> None:
    engine = KilledEngine()
    engine.live(LAST_ARRIVAL_S + 2.0)
    for denials in (0, 1, 1, 1):
        assert engine.denials() == denials
        engine.again(away_s=4.0 if not denials else 0.0)
        engine.live(0.5)
    engine.again()
    engine.live(1.0)
    assert (engine.denials(), engine.state()) == (2, ChildState.UNKNOWN)
    engine.again()
    engine.live(1.0)
    assert engine.state() is ChildState.NOT_ACCEPTED
