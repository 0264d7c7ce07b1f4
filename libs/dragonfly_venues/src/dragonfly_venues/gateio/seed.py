"""Gate.io's whole book over REST: GET /api/v4/spot/order_book, numbered like its changes.

Replies come from a cache and may be 20 s old; more than 100 levels are older still. One whose
number the book has left behind is not comparable, so that mostly markets that rest are audited.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser

__all__ = ["parse", "path"]

LIMIT: Final = 100


class _Book(NumberedBook):
    seq: int = msgspec.field(name="id")


parse = seed_parser(msgspec.json.Decoder(_Book, strict=False))


def path(symbol: str) -> str:
    """Return where the book of a symbol is had, with its number."""
    return f"/api/v4/spot/order_book?currency_pair={quote(symbol)}&limit={LIMIT}&with_id=true"
