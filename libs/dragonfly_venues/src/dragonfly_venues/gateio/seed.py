"""Gate.io's whole book over REST: GET /api/v4/spot/order_book, numbered like its changes.

Replies come from a cache and may be 20 s old; more than 100 levels are older still. One whose
number the book has left behind is not comparable, so that mostly markets that rest are audited.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.events import BookTop

__all__ = ["parse", "path"]

LIMIT: Final = 100


class _Book(msgspec.Struct):
    id: int
    asks: Side
    bids: Side


_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had, with its number."""
    return f"/api/v4/spot/order_book?currency_pair={quote(symbol)}&limit={LIMIT}&with_id=true"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    return best_of(symbol, depth, book.id, book.bids, book.asks)
