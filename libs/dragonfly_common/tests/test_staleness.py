"""Silence is measured from the last word, and nobody who never spoke is silent."""

from __future__ import annotations

import math

from dragonfly_common.staleness import Silence


def test_whoever_never_spoke_is_not_silent() -> None:
    silence: Silence[str] = Silence(1.0)
    assert silence.silent(1e9) == []
    assert silence.due_in(1e9) == math.inf


def test_silence_begins_at_the_limit_and_not_before() -> None:
    silence: Silence[str] = Silence(1.0)
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
    silence: Silence[str] = Silence(1.0)
    silence.heard("a", 10.0)
    silence.forget("a")
    silence.forget("never heard of")
    assert silence.silent(20.0) == []
