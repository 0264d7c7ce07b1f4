"""Deribit's book over REST: GET public/get_order_book, numbered like its channels."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser

__all__ = ["parse", "path"]

LIMIT: Final = 100


class _Book(NumberedBook):
    seq: int = msgspec.field(name="change_id")


parse = seed_parser(JsonMember("result", _Book))


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v2/public/get_order_book?instrument_name={quote(symbol)}&depth={LIMIT}"
