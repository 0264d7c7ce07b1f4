"""HTX's book over REST: GET /market/depth, 150 levels.

Its `version` and the `seqNum` of the channels are one counter, as was seen at a sister venue.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.events import BookTop
from dragonfly_venues.htx.control import REST

__all__ = ["parse", "path"]


class _Book(msgspec.Struct):
    version: int
    bids: Side
    asks: Side


_BOOK: Final = msgspec.structs.replace(REST, content="tick").of(_Book)


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/market/depth?symbol={quote(symbol)}&type=step0"


def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
    """Return the best `depth` levels a side.

    Raises:
        FrameError: `reply` is no book.
    """
    book = read(_BOOK, reply)
    return best_of(symbol, depth, book.version, book.bids, book.asks)
