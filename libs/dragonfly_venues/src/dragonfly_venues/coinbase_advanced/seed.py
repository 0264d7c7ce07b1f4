"""Coinbase Advanced Trade's book over REST: GET /api/v3/brokerage/market/product_book.

Nothing numbers it: as at Coinbase Exchange, it is known by its time.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.decoding.times import Time, stamp_us
from dragonfly_venues.events import BookTop

__all__ = ["parse", "path"]

LIMIT: Final = 100


class _Level(msgspec.Struct, gc=False):
    price: float
    size: float


class _Book(msgspec.Struct):
    bids: tuple[_Level, ...]
    asks: tuple[_Level, ...]
    time: Time


class _Reply(msgspec.Struct):
    pricebook: _Book


_REPLY: Final = msgspec.json.Decoder(_Reply, strict=False)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v3/brokerage/market/product_book?product_id={quote(symbol)}&limit={LIMIT}"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_REPLY, reply).pricebook
    return best_of(symbol, depth, stamp_us(book.time) or 0, _levels(book.bids), _levels(book.asks))


def _levels(levels: tuple[_Level, ...]) -> Side:
    return tuple([(level.price, level.size) for level in levels])
