"""Is a connection falling behind the venue? Pure: time is a parameter."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Lag"]

LIMIT_S: Final = 1.0
PATIENCE_S: Final = 2.0
# A stamp farther from our clock than this is no clock: a recording, or a venue that stamps oddly.
PLAUSIBLE_S: Final = 60.0


class Lag:
    """Compares each stamped message with the fastest one of its connection.

    What counts is the lag above that baseline, so neither distance nor a clock set wrong matters,
    and because arrival is read from the monotonic clock, neither does a clock that is set.
    """

    def __init__(self, wall_s: float, now: float) -> None:
        """`wall_s` and `now` are wall and monotonic time of the same moment."""
        self._wall_minus_monotonic = wall_s - now
        self._baseline = math.inf
        self._late_since: float | None = None
        self.excess_s = 0.0
        """How late the last message was."""

    def observe(self, now: float, ts_event: int) -> bool:
        """Take a message's stamp; return True once all have been late for `PATIENCE_S`."""
        lag = now + self._wall_minus_monotonic - ts_event / 1e9
        if not -PLAUSIBLE_S < lag < PLAUSIBLE_S:
            return False
        self._baseline = min(self._baseline, lag)
        self.excess_s = lag - self._baseline
        if self.excess_s <= LIMIT_S:
            self._late_since = None
            return False
        if self._late_since is None:
            self._late_since = now
        return now - self._late_since >= PATIENCE_S
