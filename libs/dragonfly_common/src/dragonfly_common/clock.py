"""Time as a parameter: the system's clock, and one that a test moves by hand."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Two readings: one to stamp messages, one to measure durations."""

    def now_ns(self) -> int:
        """Return wall time in nanoseconds since the Unix epoch, UTC. May step."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back. Ages inside a host come from it."""
        ...


class SystemClock:
    """The machine's clocks."""

    now_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._monotonic = 1000.0

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds`."""
        self._monotonic += seconds
        self._now_ns += round(seconds * 1e9)
