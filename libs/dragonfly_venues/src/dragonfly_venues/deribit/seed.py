"""Deribit's book over REST: GET public/get_order_book, numbered like its channels."""

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
    change_id: int
    bids: Side
    asks: Side


class _Reply(msgspec.Struct):
    result: _Book


_REPLY: Final = msgspec.json.Decoder(_Reply)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v2/public/get_order_book?instrument_name={quote(symbol)}&depth={LIMIT}"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_REPLY, reply).result
    return best_of(symbol, depth, book.change_id, book.bids, book.asks)
