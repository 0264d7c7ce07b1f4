"""Books of changes with a checksum of the levels' text in each message, where the venue sends one.

OKX and Bitget: price and amount, as they were printed, of the best 25 bids and asks in turn, joined
by colons; the CRC32 of that, signed. Both have come to send 0, or none, which says nothing: frames
are read for their text only where the changes of a book carry a checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.delta_books import DeltaBook, DeltaDecoder
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS
from dragonfly_venues.events import Broken, Event, Verified

__all__ = ["ChecksummedDecoder"]

CHECKSUM_LEVELS: Final = 25
MOST_TEXTS: Final = 8192
"""Prices of one side; a book in which more came is not verified until its next snapshot."""


_Levels = list[list[str | float]]


class _Sides(msgspec.Struct):
    bids: _Levels
    asks: _Levels


class _Frame(msgspec.Struct):
    data: tuple[_Sides]


_FRAME: Final = msgspec.json.Decoder(_Frame)


class _Side:
    """One side of a book as it was printed."""

    __slots__ = ("_best", "texts")

    def __init__(self) -> None:
        self.texts: dict[float, bytes] = {}
        """By price, also of prices that are gone."""
        self._best: list[bytes] | None = None

    def apply(self, levels: _Levels) -> None:
        for level in levels:
            self.texts[float(level[0])] = f"{level[0]}:{level[1]}".encode()
            self._best = None

    def best(self, levels: Side) -> list[bytes]:
        """Return the texts of `levels`, the best; they change only with what is applied."""
        if self._best is None:
            texts = self.texts
            self._best = [texts.get(price, b"") for price, _ in levels]
        return self._best


class _Texts:
    """The levels of one book as they were printed. Frames are read when it is asked."""

    def __init__(self) -> None:
        self._unread: list[bytes] = []
        self._bids, self._asks = _Side(), _Side()

    @property
    def full(self) -> bool:
        return max(len(self._bids.texts), len(self._asks.texts)) > MOST_TEXTS

    def add(self, frame: bytes) -> None:
        """Take the frame that came next, a snapshot at first."""
        self._unread.append(frame)

    def checksum(self, bids: Side, asks: Side) -> int:
        """Return the checksum of these levels, the best of the book."""
        for frame in self._unread:
            (sides,) = read(_FRAME, frame).data
            self._bids.apply(sides.bids)
            self._asks.apply(sides.asks)
        self._unread.clear()
        bid_texts, ask_texts = self._bids.best(bids), self._asks.best(asks)
        both = min(len(bid_texts), len(ask_texts))
        parts = [b""] * (2 * both)
        parts[::2], parts[1::2] = bid_texts[:both], ask_texts[:both]
        parts += bid_texts[both:] or ask_texts[both:]
        unsigned = crc32(b":".join(parts))
        return unsigned - 2**32 if unsigned >= 2**31 else unsigned


class ChecksummedDecoder(DeltaDecoder):
    """A decoder of changes whose `decode` passes what a book frame says through `verified`.

    A checksum that does not hold is a fault once one has held on the connection: of a venue that
    makes it of other levels, or of nothing, there would never be a book.
    """

    def __init__(self, new: Callable[[], DeltaBook]) -> None:
        super().__init__(new)
        self._texts: dict[str, _Texts] = {}
        """Of the books whose changes carry checksums, as far as is known."""
        self._has_held = False

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`; see `Decoder`."""
        super().forget(symbol)
        self._texts.pop(symbol, None)

    def verified(
        self, symbol: str, frame: bytes, events: Sequence[Event], checksum: int, *, whole: bool
    ) -> Sequence[Event]:
        """Return what `frame` says: `events`, and whether its checksum holds; 0 stands for none.

        `whole`: it is a snapshot, of which others may carry none though the changes do.
        """
        if whole:
            self._begin(symbol)
        texts = self._texts.get(symbol)
        if texts is None:
            return events
        texts.add(frame)
        if whole and not checksum:
            return events
        best = self.best(symbol, CHECKSUM_LEVELS)
        if not checksum or best is None or texts.full:
            del self._texts[symbol]
            return events
        computed = texts.checksum(*best)
        if computed == checksum:
            self._has_held = True
            return (*events, Verified(symbol))
        if not self._has_held:
            del self._texts[symbol]
            return events
        self.forget(symbol)
        return (Broken(symbol, "checksum", f"{computed} is not {checksum}"),)

    def _begin(self, symbol: str) -> None:
        if len(self._texts) >= MAX_SYMBOLS:
            self._texts.clear()
        self._texts[symbol] = _Texts()
