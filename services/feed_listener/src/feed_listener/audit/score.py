"""The share of a feed's audits that agreed: of the last ten minutes, and of all. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["WINDOW_S", "Score"]

WINDOW_S: Final = 600.0
PERIOD_S: Final = 10.0
"""The window moves in such steps."""


class Score:
    """Counts comparisons. One that was not comparable is neither agreed nor disagreed."""

    __slots__ = (
        "_agreed",
        "_compared",
        "_number",
        "_old_agreed",
        "_old_compared",
        "_periods",
        "recent",
        "total",
    )

    def __init__(self) -> None:
        self._periods: deque[tuple[int, int, int]] = deque()
        """The window's steps: their numbers, and what was counted when each began."""
        self._number = -1
        self._agreed = self._compared = 0
        self._old_agreed = self._old_compared = 0
        """Of them, older than the window."""
        self.recent: float | None = None
        """The share of the last ten minutes in [0, 1], None where nothing was compared."""
        self.total: float | None = None
        """The share since the feed is followed, None where nothing was ever compared."""

    def note(self, now: float, *, agreed: bool) -> None:
        """Count one comparison."""
        self.move(now)
        self._agreed += agreed
        self._compared += 1
        self.recent = (self._agreed - self._old_agreed) / (self._compared - self._old_compared)
        self.total = self._agreed / self._compared

    def move(self, now: float) -> None:
        """Drop the audits that are older than the window."""
        number = int(now / PERIOD_S)
        if number == self._number:
            return
        self._number = number
        self._periods.append((number, self._agreed, self._compared))
        while self._periods[0][0] <= number - WINDOW_S / PERIOD_S:
            self._periods.popleft()
        _, self._old_agreed, self._old_compared = self._periods[0]
        compared = self._compared - self._old_compared
        self.recent = (self._agreed - self._old_agreed) / compared if compared else None
