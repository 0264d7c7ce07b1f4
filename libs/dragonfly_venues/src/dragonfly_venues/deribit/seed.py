"""Deribit's book over REST: GET public/get_order_book, numbered like its channels."""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.decoding.seeds import NumberedBook, source

__all__ = ["SOURCE"]

LIMIT: Final = 100


class _Book(NumberedBook):
    seq: int = msgspec.field(name="change_id")


# What a request costs is not in the docs of 2026: one a second is a third of what a
# subscription may cost.
SOURCE: Final = source(
    JsonMember("result", _Book),
    f"/api/v2/public/get_order_book?instrument_name={{symbol}}&depth={LIMIT}",
    per_minute=60.0,
    burst=10,
)
