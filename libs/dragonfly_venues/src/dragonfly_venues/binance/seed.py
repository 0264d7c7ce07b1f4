"""Binance's whole book over REST: GET /api/v3/depth, counted by the same ids as its streams."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.events import Top

__all__ = ["parse", "path"]

LIMIT: Final = 20
"""Any limit up to 100 weighs the same; this is what the stream has."""


class _Book(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 -- the venue's spelling
    bids: Side
    asks: Side


_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)


def path(symbol: str) -> str:
    """Return where the book of a symbol, as streams spell it, is had."""
    return f"/api/v3/depth?symbol={quote(symbol.upper())}&limit={LIMIT}"


def parse(reply: bytes, symbol: str, depth: int) -> Top:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    return best_of(symbol, depth, book.lastUpdateId, book.bids, book.asks)
