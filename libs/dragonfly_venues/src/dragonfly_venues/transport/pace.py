"""A venue's rate limit, kept on our side. Pure: the time is a parameter."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """Allows `per_second` on average, and `burst` of them at once after a rest.

    The generic cell rate algorithm: one number, the time at which the allowance is whole again.
    """

    def __init__(self, per_second: float, burst: int = 1) -> None:
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
