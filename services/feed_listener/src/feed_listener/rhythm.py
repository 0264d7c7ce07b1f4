"""How often a feed is heard, and how long a silence is unlike it. Pure: time is a parameter.

The gaps between its last frames are counted by their size, and the 99th percentile is read off
every few frames: a frame costs an increment, whatever the market does.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Rhythm"]

LEAST_PATIENCE_S: Final = 0.5
UNKNOWN_PATIENCE_S: Final = 10.0
"""Of a feed that was heard too seldom for a rhythm."""
TIMES: Final = 8
"""Of the 99th percentile. Frames that come by chance, 50 a second, have theirs at 92 ms: a gap of
eight times that is none of them once in 10^16, and leaves time to ask twice within 2 s."""
FORGIVEN: Final = 100
"""One gap in so many may be longer than usual."""

LOOK_EVERY: Final = 32
MOST_GAPS: Final = 512
"""From so many on, counts are halved: what was long ago fades."""
SIZES: Final = 46
"""Of gaps: each is longer by half an octave, and the last is that of hours."""


class Rhythm:
    """The gaps of one feed, and the patience that they leave with a silence."""

    __slots__ = ("_counts", "_learned_s", "_look_in", "_total", "heard_at", "patience_s")

    def __init__(self, now: float) -> None:
        self._counts = [0] * SIZES
        self._total = 0
        self._look_in = LOOK_EVERY
        self._learned_s = 0.0
        """The patience that an answer taught: it fades as gaps do."""
        self.heard_at = now
        self.patience_s = UNKNOWN_PATIENCE_S
        """A silence that is longer is questioned."""

    def heard(self, now: float) -> None:
        """Take note of a frame."""
        gap_ms = (now - self.heard_at) * 1000.0
        self.heard_at = now
        try:
            # The square has twice as many sizes of powers of two as the gap itself.
            self._counts[int(gap_ms * gap_ms).bit_length()] += 1
        except IndexError:
            self._counts[-1] += 1
        self._look_in -= 1
        if not self._look_in:
            self._look()

    def late_by(self, now: float) -> float:
        """Return how many times its patience a silence lasts: from 1.0 on it is questioned."""
        return (now - self.heard_at) / self.patience_s

    def rested(self, now: float) -> None:
        """Take note that this silence was questioned, and is none: it may last as long again."""
        self._learned_s = 2.0 * (now - self.heard_at)
        self.patience_s = max(self.patience_s, self._learned_s)

    def _look(self) -> None:
        self._look_in = LOOK_EVERY
        self._total += LOOK_EVERY
        counts = self._counts
        left = self._total // FORGIVEN
        size = SIZES - 1
        while counts[size] <= left:
            left -= counts[size]
            size -= 1
        usual_s = 2.0 ** (size / 2) / 1000.0
        self.patience_s = max(LEAST_PATIENCE_S, TIMES * usual_s, self._learned_s)
        if self._total >= MOST_GAPS:
            self._counts = [count // 2 for count in counts]
            self._total = sum(self._counts)
            self._learned_s /= 2.0
