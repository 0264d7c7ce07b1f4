"""Bitget's whole book over REST: GET /api/v2/spot/market/orderbook, which has no sequence."""

from __future__ import annotations

from typing import Final

from dragonfly_common.types import Side

from dragonfly_venues.bitget.control import REST
from dragonfly_venues.decoding.seeds import UnnumberedBook, source

__all__ = ["SOURCE"]


class _Book(UnnumberedBook):
    asks: Side
    bids: Side


# 20 requests in a second are allowed to an address.
SOURCE: Final = source(
    REST.of(_Book),
    "/api/v2/spot/market/orderbook?symbol={symbol}&type=step0&limit=150",
    per_minute=240.0,
    burst=20,
    cached_s=5.0,
)
