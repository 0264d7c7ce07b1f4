"""Rates: ours at a venue, a bot's at a gateway, a log's. Pure: the time is a parameter."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

__all__ = ["SayOnce", "TokenBucket"]

_ROUNDING_S: Final = 1e-9


class TokenBucket:
    """Allows `per_second` on average, and `burst` of them at once after a rest.

    The generic cell rate algorithm: one number, the time at which the allowance is whole again.
    """

    def __init__(self, per_second: float, burst: float = 1) -> None:
        self._interval_s = 1.0 / per_second
        self._tolerance_s = (burst - 1) * self._interval_s
        self._whole_at = 0.0

    def wait_s(self, now: float) -> float:
        """Return seconds until one more is allowed."""
        return max(0.0, self._whole_at - self._tolerance_s - now)

    def take(self, now: float) -> float:
        """Take the next place in the order of asking; return seconds until it is due."""
        wait_s = self.wait_s(now)
        self._whole_at = max(self._whole_at, now) + self._interval_s
        return wait_s

    def admit(self, now: float) -> bool:
        """Say whether one more is allowed now; if so, it is taken."""
        if self.wait_s(now) > _ROUNDING_S:
            return False
        self.take(now)
        return True


class SayOnce:
    """Tells its user to say a thing once an interval; the user logs it, and counts all.

    Of what was said until something changes a plain flag is the whole memory: that is not this.
    """

    def __init__(self, again_after_s: float, most_remembered: int = 10_000) -> None:
        """Of more than `most_remembered` different things within the interval, none is said."""
        self._again_after_s = again_after_s
        self._most_remembered = most_remembered
        self._until: dict[Hashable, float] = {}

    def due(self, now: float, what: Hashable = None) -> bool:
        """Say whether `what` is to be said now; if so, it has been."""
        if now < self._until.get(what, now):
            return False
        if len(self._until) >= self._most_remembered:
            self._until = {said: until for said, until in self._until.items() if until > now}
            if len(self._until) >= self._most_remembered:
                return False
        self._until[what] = now + self._again_after_s
        return True
