"""Gate.io's whole book over REST: GET /api/v4/spot/order_book, numbered like its changes.

Replies come from a cache and may be 20 s old; more than 100 levels are older still. One whose
number the book has left behind is not comparable, so that mostly markets that rest are audited.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.seeds import NumberedBook, source

__all__ = ["SOURCE"]

LIMIT: Final = 100


class _Book(NumberedBook):
    seq: int = msgspec.field(name="id")


# 200 requests in 10 s are allowed.
SOURCE: Final = source(
    msgspec.json.Decoder(_Book, strict=False),
    f"/api/v4/spot/order_book?currency_pair={{symbol}}&limit={LIMIT}&with_id=true",
    per_minute=240.0,
    burst=20,
)
