"""Whether this process stood still: what its sockets then hold is old."""

from __future__ import annotations

from typing import Final

from dragonfly_common.clock import Clock

__all__ = ["FROZEN_S", "Pulse"]

FROZEN_S: Final = 1.0


class Pulse:
    """When the main loop last ran. Whoever reads a socket asks first whether that is long ago."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat_at = clock.monotonic()

    def beat(self) -> None:
        self._beat_at = self._clock.monotonic()

    def frozen_s(self, now: float) -> float:
        """Return how long the process stood still before `now`; 0.0 if it did not."""
        still_s = now - self._beat_at
        return still_s if still_s > FROZEN_S else 0.0
