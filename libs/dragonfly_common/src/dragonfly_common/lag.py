"""Is what arrives getting older? Pure: time is a parameter."""

from __future__ import annotations

import math

__all__ = ["Lag"]


class Lag:
    """Compares each stamped message with the fastest of its connection.

    As fast as any two in a row, so that one wild stamp makes no difference. What counts is the lag
    above that baseline, so neither distance nor a clock set wrong matters, and because arrival is
    read from the monotonic clock, neither does a clock that is set here.
    """

    def __init__(
        self,
        wall_s: float,
        now: float,
        *,
        limit_s: float,
        patience_s: float,
        plausible_s: float = math.inf,
    ) -> None:
        """`wall_s` and `now` are wall and monotonic time of the same moment.

        What was late by more than `limit_s` for `patience_s` lags. A stamp farther than
        `plausible_s` from our clock is no clock's.
        """
        self._wall_minus_monotonic = wall_s - now
        self._limit_s = limit_s
        self._patience_s = patience_s
        self._plausible_s = plausible_s
        self._baseline = math.inf
        self._before = math.inf
        self._late_since: float | None = None
        self.excess_s = 0.0
        """How late the last message was."""

    def observe(self, now: float, stamp_ns: int) -> bool:
        """Take a message's stamp; return True once all have been late for the whole patience."""
        lag = now + self._wall_minus_monotonic - stamp_ns / 1e9
        if not -self._plausible_s < lag < self._plausible_s:
            return False
        self._baseline = min(self._baseline, max(lag, self._before))
        self._before = lag
        self.excess_s = max(0.0, lag - self._baseline)
        if self.excess_s <= self._limit_s:
            self._late_since = None
            return False
        if self._late_since is None:
            self._late_since = now
        return now - self._late_since >= self._patience_s
