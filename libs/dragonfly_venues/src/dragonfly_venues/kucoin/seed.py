"""KuCoin's book over REST: GET /api/v1/market/orderbook/level2_100, numbered like its changes.

The whole book needs a key: what lies beyond a hundred levels is unknown until it changes.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser
from dragonfly_venues.kucoin.control import REST

__all__ = ["LEVELS", "parse", "path"]

LEVELS: Final = 100


class _Book(NumberedBook):
    seq: int = msgspec.field(name="sequence")
    bids: Side = ()
    asks: Side = ()


parse = seed_parser(REST.of(_Book))


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v1/market/orderbook/level2_{LEVELS}?symbol={quote(symbol)}"
