"""Coinbase Exchange's whole book over REST: GET /products/ID/book?level=2.

Its `sequence` counts another channel. Only its time can be compared with the times of changes: a
book of another time is not comparable unless the stream's has rested since.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.decoding.times import Time, stamp_us
from dragonfly_venues.events import BookTop

__all__ = ["parse", "path"]

_Levels = tuple[tuple[float, float, int], ...]


class _Book(msgspec.Struct):
    bids: _Levels
    asks: _Levels
    time: Time


_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/products/{quote(symbol)}/book?level=2"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    bids, asks = (
        tuple([(price, size) for price, size, _ in side]) for side in (book.bids, book.asks)
    )
    return best_of(symbol, depth, stamp_us(book.time) or 0, bids, asks)
