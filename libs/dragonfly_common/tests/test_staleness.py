"""Silence counts from the last word; what is late for long enough, by the fastest, lags."""

from __future__ import annotations

import math
from functools import partial

from dragonfly_common.staleness import Lag as AnyLag
from dragonfly_common.staleness import PauseDetector, SilenceWatch

START = 1_700_000_000.0

Lag = partial(AnyLag, limit_s=1.0, patience_s=2.0, plausible_s=60.0)


def stamp(second: float) -> int:
    return round((START + second) * 1e9)


def test_whoever_never_spoke_is_not_silent() -> None:
    silence: SilenceWatch[str] = SilenceWatch(1.0)
    assert silence.silent(1e9) == []
    assert silence.due_in(1e9) == math.inf


def test_silence_begins_at_the_limit_and_not_before() -> None:
    silence: SilenceWatch[str] = SilenceWatch(1.0)
    silence.heard("a", 10.0)
    silence.heard("b", 10.5)
    assert silence.silent(10.999) == []
    assert silence.due_in(10.75) == 0.25
    assert silence.silent(11.0) == ["a"]
    assert silence.due_in(11.25) == 0.0
    silence.heard("a", 11.25)
    assert silence.silent(11.25) == []
    assert silence.silent(11.5) == ["b"]


def test_whoever_is_forgotten_is_not_silent() -> None:
    silence: SilenceWatch[str] = SilenceWatch(1.0)
    silence.heard("a", 10.0)
    silence.forget("a")
    silence.forget("never heard of")
    assert silence.silent(20.0) == []


def test_a_steady_distance_is_no_lag() -> None:
    lag = Lag(START, 0.0)
    assert not any(lag.observe(t, stamp(t - 5.0)) for t in range(60))


def test_falling_behind_for_two_seconds_is() -> None:
    lag = Lag(START, 0.0)
    lag.observe(0.0, stamp(-0.1))
    lag.observe(0.1, stamp(0.0))
    assert not lag.observe(10.0, stamp(8.5))
    assert not lag.observe(11.0, stamp(9.5))
    assert lag.observe(12.1, stamp(10.5))
    assert round(lag.excess_s, 1) == 1.5


def test_one_message_in_time_ends_it() -> None:
    lag = Lag(START, 0.0)
    lag.observe(0.0, stamp(0.0))
    lag.observe(0.1, stamp(0.1))
    assert not lag.observe(10.0, stamp(8.0))
    assert not lag.observe(11.0, stamp(10.9))
    assert not lag.observe(12.1, stamp(10.0))


def test_a_recording_is_not_judged_by_our_clock() -> None:
    lag = Lag(START, 0.0)
    assert not any(lag.observe(t, stamp(-1e6 + t / 2)) for t in range(100))


def test_one_wild_stamp_makes_no_difference() -> None:
    lag = Lag(START, 0.0)
    said = [lag.observe(t / 2, stamp(t / 2 + (30.0 if t in {5, 15} else 0.0))) for t in range(30)]
    assert not any(said)


def test_a_process_whose_loop_runs_does_not_stand_still() -> None:
    pauses = PauseDetector(1.0, 100.0)
    assert pauses.stood_still_s(100.9) == 0.0
    assert pauses.beat(100.9) == 0.0
    assert pauses.stood_still_s(101.8) == 0.0


def test_a_pause_is_seen_by_whoever_asks_first_until_the_loop_runs() -> None:
    pauses = PauseDetector(1.0, 100.0)
    assert pauses.stood_still_s(105.0) == pauses.stood_still_s(105.0) == 5.0
    assert pauses.beat(105.0) == 5.0
    assert pauses.stood_still_s(105.1) == 0.0
