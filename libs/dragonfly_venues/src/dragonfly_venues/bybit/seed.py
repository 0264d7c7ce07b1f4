"""Bybit's book over REST: GET /v5/market/orderbook, of the topic of 1000 levels.

Its `u` counts the messages of that topic. Its `seq` is the matching engine's, as in all topics:
what shows another number than the stream is not comparable.
"""

from __future__ import annotations

from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.bybit.control import DEEPEST, REST
from dragonfly_venues.decoding.seeds import NumberedBook, source

__all__ = ["SOURCE"]


class _Book(NumberedBook):
    bids: Side = msgspec.field(name="b")
    asks: Side = msgspec.field(name="a")


# 600 requests in 5 s are allowed; who exceeds them is banned for 10 min.
SOURCE: Final = source(
    REST.of(_Book),
    f"/v5/market/orderbook?category=spot&symbol={{symbol}}&limit={DEEPEST}",
    per_minute=240.0,
    burst=20,
)
