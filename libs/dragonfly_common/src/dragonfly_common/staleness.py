"""Silence, lag, and pauses of this process itself. Pure: time is a parameter."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Lag", "PauseDetector", "SilenceWatch"]

K = TypeVar("K", bound=Hashable)


class SilenceWatch(Generic[K]):
    """Watches any number of speakers against one limit. Whoever never spoke is not watched."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._heard: dict[K, float] = {}

    def heard(self, key: K, now: float) -> None:
        self._heard[key] = now

    def forget(self, key: K) -> None:
        self._heard.pop(key, None)

    def silent(self, now: float) -> list[K]:
        """Return those whose silence has reached the limit."""
        limit = now - self.limit_s
        return [key for key, at in self._heard.items() if at <= limit]

    def due_in(self, now: float) -> float:
        """Return seconds until somebody's silence reaches the limit; infinity if nobody speaks."""
        if not self._heard:
            return math.inf
        return max(0.0, min(self._heard.values()) + self.limit_s - now)


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
        """How late the last message was; less than 0 where it was faster than the baseline."""

    def observe(self, now: float, stamp_ns: int) -> bool:
        """Take a message's stamp; return True once all have been late for the whole patience."""
        lag = now + self._wall_minus_monotonic - stamp_ns / 1e9
        if not -self._plausible_s < lag < self._plausible_s:
            return False
        if lag < self._baseline and self._before < self._baseline:
            self._baseline = max(lag, self._before)
        self._before = lag
        self.excess_s = lag - self._baseline
        if self.excess_s <= self._limit_s:
            self._late_since = None
            return False
        if self._late_since is None:
            self._late_since = now
        return now - self._late_since >= self._patience_s


class PauseDetector:
    """Notices that this process stood still: stopped, starved of processor, or suspended.

    What its sockets hold is then as old as the pause, and whoever reads one asks first: the main
    loop, which `beats`, may come to it later. (The bus needs none: its timers run before its
    sockets are read, and find every publisher silent.)
    """

    def __init__(self, limit_s: float, now: float) -> None:
        """Whoever does not beat for `limit_s` stands still."""
        self.limit_s = limit_s
        self.beat_at = now
        """When the main loop last ran."""

    def beat(self, now: float) -> float:
        """Note that the main loop runs; return for how long it did not, 0.0 within the limit."""
        since_s, self.beat_at = now - self.beat_at, now
        return since_s if since_s >= self.limit_s else 0.0

    def stood_still_s(self, now: float) -> float:
        """Return for how long the main loop has not run before `now`, 0.0 within the limit."""
        since_s = now - self.beat_at
        return since_s if since_s >= self.limit_s else 0.0
