"""One side of a book whose levels keep the text that a checksum is made of. Pure."""

from __future__ import annotations

from bisect import bisect_left

import msgspec
from dragonfly_common.types import Level

__all__ = ["PrintedLevel", "PrintedSide"]


class PrintedLevel(msgspec.Struct, frozen=True, gc=False):
    """One level, read: its numbers, and its part of the checksum's text."""

    level: Level
    text: bytes


class PrintedSide:
    """One side, best first; `_keys` rise (bids by the negative price) for bisection."""

    __slots__ = ("_keys", "_sign", "levels", "texts")

    def __init__(self, sign: float) -> None:
        """Make an empty side: `sign` is -1.0 of bids and 1.0 of asks."""
        self._sign = sign
        self._keys: list[float] = []
        self.levels: list[Level] = []
        self.texts: list[bytes] = []

    def apply(self, change: PrintedLevel) -> int:
        """Set the amount of a price; 0 removes it. Levels before the returned place stay."""
        price, amount = change.level
        keys, key = self._keys, self._sign * price
        at = bisect_left(keys, key)
        if at < len(keys) and keys[at] == key:
            if amount == 0.0:
                del keys[at], self.levels[at], self.texts[at]
            elif self.levels[at] == change.level and self.texts[at] == change.text:
                return len(keys)
            else:
                self.levels[at] = change.level
                self.texts[at] = change.text
        elif amount == 0.0:
            return len(keys)
        else:
            keys.insert(at, key)
            self.levels.insert(at, change.level)
            self.texts.insert(at, change.text)
        return at

    def cut(self, depth: int) -> None:
        """Drop what lies beyond the best `depth` levels."""
        if len(self._keys) > depth:
            del self._keys[depth:], self.levels[depth:], self.texts[depth:]
