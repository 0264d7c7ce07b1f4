"""KuCoin's book over REST: GET /api/v1/market/orderbook/level2_100, numbered like its changes.

The whole book needs a key: what lies beyond a hundred levels is unknown until it changes.
"""

from __future__ import annotations

from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.seeds import NumberedBook, source
from dragonfly_venues.kucoin.control import REST

__all__ = ["LEVELS", "SOURCE"]

LEVELS: Final = 100


class _Book(NumberedBook):
    seq: int = msgspec.field(name="sequence")
    bids: Side = ()
    asks: Side = ()


# A book of a hundred levels weighs 2 of the 2000 in 30 s that an address has: 6 %.
SOURCE: Final = source(
    REST.of(_Book),
    f"/api/v1/market/orderbook/level2_{LEVELS}?symbol={{symbol}}",
    levels=LEVELS,
    per_minute=120.0,
    burst=30,
)
