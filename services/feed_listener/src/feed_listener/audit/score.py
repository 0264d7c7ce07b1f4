"""The share of a feed's audits that agreed: of the last ten minutes, and of all. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["WINDOW_S", "Score"]

WINDOW_S: Final = 600.0
PERIOD_S: Final = 10.0
"""The window moves in such steps."""


class _Period:
    """The audits of one step."""

    __slots__ = ("agreed", "disagreed", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.agreed = 0
        self.disagreed = 0


class Score:
    """Counts comparisons. One that was not comparable is neither agreed nor disagreed."""

    __slots__ = (
        "_agreed",
        "_all_agreed",
        "_all_disagreed",
        "_disagreed",
        "_now",
        "_periods",
        "recent",
        "total",
    )

    def __init__(self) -> None:
        self._periods: deque[_Period] = deque()
        self._now = _Period(-1)
        self._agreed = self._disagreed = 0
        self._all_agreed = self._all_disagreed = 0
        self.recent: float | None = None
        """The share of the last ten minutes in [0, 1], None where nothing was compared."""
        self.total: float | None = None
        """The share since the feed is followed, None where nothing was ever compared."""

    def note(self, now: float, *, agreed: bool) -> None:
        """Count one comparison."""
        self.move(now)
        if agreed:
            self._now.agreed += 1
            self._agreed += 1
            self._all_agreed += 1
        else:
            self._now.disagreed += 1
            self._disagreed += 1
            self._all_disagreed += 1
        self.recent = _share(self._agreed, self._disagreed)
        self.total = _share(self._all_agreed, self._all_disagreed)

    def move(self, now: float) -> None:
        """Drop the audits that are older than the window."""
        number = int(now / PERIOD_S)
        if number == self._now.number:
            return
        oldest = number - int(WINDOW_S / PERIOD_S)
        while self._periods and self._periods[0].number <= oldest:
            gone = self._periods.popleft()
            self._agreed -= gone.agreed
            self._disagreed -= gone.disagreed
            self.recent = _share(self._agreed, self._disagreed)
        self._now = _Period(number)
        self._periods.append(self._now)


def _share(agreed: int, disagreed: int) -> float | None:
    compared = agreed + disagreed
    return agreed / compared if compared else None
