"""OKX's whole book over REST: GET /api/v5/market/books, numbered like the channel `books`.

Whether both count alike is not documented: what shows another number is not comparable.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.events import BookTop
from dragonfly_venues.okx.control import REST

__all__ = ["parse", "path"]

LIMIT: Final = 100

_Levels = tuple[tuple[float, float, str, str], ...]


class _Book(msgspec.Struct):
    asks: _Levels
    bids: _Levels
    seqId: int  # noqa: N815 -- the venue's spelling


_BOOKS: Final = REST.of(tuple[_Book])


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v5/market/books?instId={quote(symbol)}&sz={LIMIT}"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    (book,) = read(_BOOKS, reply)
    bids, asks = (
        tuple([(price, amount) for price, amount, _, _ in side]) for side in (book.bids, book.asks)
    )
    return best_of(symbol, depth, book.seqId, bids, asks)
