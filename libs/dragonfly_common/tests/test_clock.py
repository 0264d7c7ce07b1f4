"""The system's clock tells the time; the manual one tells what it was told."""

from __future__ import annotations

import time

import pytest
from dragonfly_common.clock import ManualClock, SystemClock


def test_the_system_s_clock_is_the_machine_s() -> None:
    clock = SystemClock()
    before = (time.time_ns(), time.monotonic())
    now = (clock.now_ns(), clock.monotonic())
    after = (time.time_ns(), time.monotonic())
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_the_manual_clock_moves_both_readings_and_only_when_told() -> None:
    clock = ManualClock(5)
    start = clock.monotonic()
    assert (clock.now_ns(), clock.monotonic()) == (5, start)
    clock.advance(1.5)
    assert clock.now_ns() == 1_500_000_005
    assert clock.monotonic() == pytest.approx(start + 1.5)
