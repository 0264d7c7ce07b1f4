"""Time as a parameter: the system's clock, and one that a test moves by hand."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

__all__ = ["Clock", "ManualClock", "SteadyClock", "SystemClock"]

MOST_AT_ONCE_S: Final = 0.05
"""Between two looks at a `SteadyClock`: what is longer, the machine took."""
LOOK_EVERY_S: Final = 0.02


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


class SteadyClock(SystemClock):
    """The machine's clocks, of which `monotonic` stands still while the machine does.

    For tests: a process that gets no time for seconds takes nobody for silent after them.
    """

    def __init__(self) -> None:
        self._passed_s = 0.0
        self._read_at = time.monotonic()

    def monotonic(self) -> float:
        now = time.monotonic()
        self._passed_s += min(now - self._read_at, MOST_AT_ONCE_S)
        self._read_at = now
        return self._passed_s

    async def keep_running(self) -> None:
        """Look at it until cancelled: while nobody does, it takes that for a standstill."""
        while True:
            self.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)


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
