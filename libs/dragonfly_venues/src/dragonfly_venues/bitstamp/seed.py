"""Bitstamp's whole book over REST: GET /api/v2/order_book/PAIR/, stamped like its channel.

Equal prices are grouped, as in the channel. The reply may be seconds old.
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


class _Book(msgspec.Struct):
    microtimestamp: int
    bids: Side
    asks: Side


_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v2/order_book/{quote(symbol)}/?group=1"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    return best_of(symbol, depth, book.microtimestamp, book.bids, book.asks)
