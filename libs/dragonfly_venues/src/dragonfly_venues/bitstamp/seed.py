"""Bitstamp's whole book over REST: GET /api/v2/order_book/PAIR/, stamped like its channel.

Equal prices are grouped, as in the channel. The reply may be seconds old.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.seeds import NumberedBook, source

__all__ = ["SOURCE"]


class _Book(NumberedBook):
    seq: int = msgspec.field(name="microtimestamp")


# REST allows an address 10,000 requests in 10 min: this is a quarter of them.
SOURCE: Final = source(
    msgspec.json.Decoder(_Book, strict=False),
    "/api/v2/order_book/{symbol}/?group=1",
    per_minute=240.0,
    burst=60,
)
