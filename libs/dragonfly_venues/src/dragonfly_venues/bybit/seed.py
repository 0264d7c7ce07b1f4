"""Bybit's book over REST: GET /v5/market/orderbook, of the topic of 1000 levels.

Its `u` counts the messages of that topic. Its `seq` is the matching engine's, as in all topics:
what shows another number than the stream is not comparable.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.bybit.control import DEEPEST, REST
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.events import BookTop

__all__ = ["parse", "path"]


class _Book(msgspec.Struct):
    b: Side
    a: Side
    seq: int


_BOOK: Final = REST.of(_Book)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/v5/market/orderbook?category=spot&symbol={quote(symbol)}&limit={DEEPEST}"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    return best_of(symbol, depth, book.seq, book.b, book.a)
