"""Coinbase Advanced Trade's book over REST: GET /api/v3/brokerage/market/product_book.

Nothing numbers it: as at Coinbase Exchange, it is known by its time.
"""

from __future__ import annotations

from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.coinbase.seed import StampedBook
from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.decoding.seeds import source

__all__ = ["SOURCE"]

LIMIT: Final = 100


class _Level(msgspec.Struct, gc=False):
    price: float
    size: float


class _Book(StampedBook):
    priced_bids: tuple[_Level, ...] = msgspec.field(name="bids")
    priced_asks: tuple[_Level, ...] = msgspec.field(name="asks")

    @property
    def bids(self) -> Side:
        return _side(self.priced_bids)

    @property
    def asks(self) -> Side:
        return _side(self.priced_asks)


def _side(levels: tuple[_Level, ...]) -> Side:
    return tuple([(level.price, level.size) for level in levels])


# 10 requests a second are allowed.
SOURCE: Final = source(
    JsonMember("pricebook", _Book),
    f"/api/v3/brokerage/market/product_book?product_id={{symbol}}&limit={LIMIT}",
    per_minute=60.0,
    burst=10,
)
