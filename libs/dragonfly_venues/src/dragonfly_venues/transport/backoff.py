"""How long to wait before the next attempt: exponential, with full jitter. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Backoff"]

FIRST_S: Final = 0.05
LONGEST_S: Final = 30.0


class Backoff:
    """Waits drawn from [0, ceiling); the ceiling doubles from `first_s` to 30 s.

    Full jitter spreads the listeners that lost one venue at the same moment. `random` returns
    [0, 1).
    """

    def __init__(self, random: Callable[[], float], first_s: float = FIRST_S) -> None:
        self._random = random
        self._first_s = self._ceiling_s = first_s

    def next_s(self, at_least_s: float = 0.0) -> float:
        """Return the next wait, and raise the ceiling.

        `at_least_s` is what the venue asked for; the jitter is added to it, so that not all come
        back at the same moment.
        """
        wait_s = at_least_s + self._random() * self._ceiling_s
        self._ceiling_s = min(LONGEST_S, self._ceiling_s * 2)
        return wait_s

    def reset(self) -> None:
        """Begin again: an attempt succeeded."""
        self._ceiling_s = self._first_s
