"""KuCoin's book over REST: GET /api/v1/market/orderbook/level2_100, numbered like its changes.

The whole book needs a key: what lies beyond a hundred levels is unknown until it changes.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.events import BookTop
from dragonfly_venues.kucoin.control import REST

__all__ = ["LEVELS", "parse", "path"]

LEVELS: Final = 100


class _Book(msgspec.Struct):
    sequence: int
    bids: Side = ()
    asks: Side = ()


_BOOK: Final = REST.of(_Book)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v1/market/orderbook/level2_{LEVELS}?symbol={quote(symbol)}"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    return best_of(symbol, depth, book.sequence, book.bids, book.asks)
