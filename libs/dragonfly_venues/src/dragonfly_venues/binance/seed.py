"""Binance's whole book over REST: GET /api/v3/depth, counted by the same ids as its streams.

A request weighs 5 where it is for up to 100 levels a side, 50 for 1000 and 250 for 5000.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.binance.control import LEVELS
from dragonfly_venues.decoding.seeds import NumberedBook, source

__all__ = ["SEED_LEVELS", "SOURCE", "TOP_SOURCE"]

SEED_LEVELS: Final = 1000
"""Levels of a seed. A price leaves a hundred levels within about 90 s, as was measured."""

_PATH: Final = "/api/v3/depth?symbol={symbol}&limit="


class _Book(NumberedBook):
    seq: int = msgspec.field(name="lastUpdateId")


_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)

# A snapshot weighs 5 of the 6000 a minute that an address has: a quarter of them in the minute
# after a start, a fifth later.
TOP_SOURCE: Final = source(_BOOK, f"{_PATH}{LEVELS}", spell=str.upper, per_minute=240.0, burst=60)
"""Books as deep as its whole tops."""

# A seed weighs 50: a quarter of what an address has in the minute after a start, a sixth later.
SOURCE: Final = source(
    _BOOK,
    f"{_PATH}{SEED_LEVELS}",
    spell=str.upper,
    levels=SEED_LEVELS,
    per_minute=20.0,
    burst=10,
)
"""Books so deep that changes can go on from them."""
