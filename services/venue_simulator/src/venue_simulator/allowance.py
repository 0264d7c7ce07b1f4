"""How often a venue lets a client do something."""

from __future__ import annotations

from collections import deque

__all__ = ["Allowance"]


class Allowance:
    """So many in any window of time, and no more."""

    def __init__(self, count: int, window_s: float) -> None:
        self._window_ns = window_s * 1e9
        self._taken_ns: deque[int] = deque(maxlen=count)

    def exceeded(self, now_ns: int) -> bool:
        """Take one more; return whether it is too many."""
        taken = self._taken_ns
        too_many = len(taken) == taken.maxlen and now_ns - taken[0] < self._window_ns
        taken.append(now_ns)
        return too_many
