"""Missing numbers: what came before its turn, what was asked for, what was sent again. Pure."""

from __future__ import annotations

from typing import Final

from dragonfly_fix.codec import FixMessage

__all__ = ["MOST_TIMES", "Gap", "SentAgain"]

MOST_EARLY: Final = 8 << 20
"""Bytes of messages kept beyond a gap, as `_weight` counts them. Further ones are another gap."""
MOST_TIMES: Final = 20
"""How often what begins with the same number is asked for or sent again, and all on average."""


class Gap:
    """What the other side's numbers leave out: messages beyond it, and how far it was asked for."""

    def __init__(self, now: float) -> None:
        self.end = 0
        """The number before which the gap ends that was asked for."""
        self.moved_at = now
        """When the number that is expected changed, or was asked for."""
        self._early: dict[int, FixMessage | None] = {}
        """By number; None of what was served at once."""
        self._weight = 0
        self._asked = (0, False)
        """The number that was asked for last, and whether a replay showed it to be missing."""
        self._times_asked = 0

    def __contains__(self, number: int) -> bool:
        return number in self._early

    def keep(self, number: int, message: FixMessage | None) -> None:
        """Keep a message that came too early, unless there are too many."""
        if number not in self._early and self._weight < MOST_EARLY:
            self._early[number] = message
            self._weight += _weight(message)

    def take(self, number: int) -> FixMessage | None:
        """Return a message that was kept, and forget it."""
        message = self._early.pop(number)
        self._weight -= _weight(message)
        return message

    def drop_before(self, number: int) -> None:
        """Forget the messages below a number."""
        for early in [one for one in self._early if one < number]:
            self.take(early)

    def is_to_be_asked_for(self, expected: int, *, replayed: bool) -> bool:
        """Say whether a message that came too early, in a replay or not, shows a new gap."""
        return expected >= self.end or (replayed and self._asked != (expected, True))

    def unasked(self, expected: int) -> int:
        """Return where a gap ends that nobody asked for yet; 0 where there is none."""
        return min(self._early) if self._early and expected >= self.end else 0

    def is_stuck(self, expected: int, since: float) -> bool:
        """Say whether nothing of what was asked for has come since then."""
        return expected < self.end and self.moved_at <= since

    def ask(self, number: int, end: int, now: float, *, again: bool) -> bool:
        """Take note that a gap is asked for; False where its first number was too often."""
        self._times_asked = self._times_asked + 1 if self._asked[0] == number else 1
        if self._times_asked > MOST_TIMES:
            return False
        self.end, self._asked, self.moved_at = max(end, self.end), (number, again), now
        return True


class SentAgain:
    """How much was sent again at the other side's request."""

    def __init__(self) -> None:
        self._from = self._times = self._numbers = 0
        """The highest BeginSeqNo (7) that was served, how often none was higher since, and how many
        numbers were sent again in all."""

    def note(self, first: int, last: int, newest: int) -> bool:
        """Take note of a request; False where enough was sent. `newest` is our last number."""
        self._times = self._times + 1 if first <= self._from else 1
        self._from = max(first, self._from)
        self._numbers += last - first + 1
        return self._times <= MOST_TIMES and self._numbers <= MOST_TIMES * newest


def _weight(message: FixMessage | None) -> int:
    """Return about how many bytes of memory a message takes."""
    return 100 + (sum(len(value) + 100 for _, value in message.fields) if message else 0)
