"""Bybit's book over REST: GET /v5/market/orderbook, of the topic of 1000 levels.

Its `u` counts the messages of that topic. Its `seq` is the matching engine's, as in all topics:
what shows another number than the stream is not comparable.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.bybit.control import DEEPEST, REST
from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser

__all__ = ["parse", "path"]


class _Book(NumberedBook):
    bids: Side = msgspec.field(name="b")
    asks: Side = msgspec.field(name="a")


parse = seed_parser(REST.of(_Book))


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/v5/market/orderbook?category=spot&symbol={quote(symbol)}&limit={DEEPEST}"
