"""Coinbase Exchange's whole book over REST: GET /products/ID/book?level=2.

Its `sequence` counts another channel. Only its time can be compared with the times of changes: a
book of another time is not comparable unless the stream's has rested since.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.seeds import source
from dragonfly_venues.decoding.times import Time, stamp_us

__all__ = ["SOURCE", "StampedBook"]

_Levels = tuple[tuple[float, float, int], ...]


class StampedBook(msgspec.Struct):
    """A book whose time is its number, as Coinbase gives both kinds."""

    time: Time

    @property
    def seq(self) -> int:
        """The number, 0 of a time that cannot be one."""
        return stamp_us(self.time) or 0


class _Book(StampedBook):
    bids: _Levels
    asks: _Levels


# A whole book is as large as the stream's. 10 requests a second are allowed.
SOURCE: Final = source(
    msgspec.json.Decoder(_Book, strict=False),
    "/products/{symbol}/book?level=2",
    max_reply_bytes=2**25,
    per_minute=12.0,
    burst=8,
)
