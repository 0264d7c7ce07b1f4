"""Binance's whole book over REST: GET /api/v3/depth, counted by the same ids as its streams.

A request weighs 5 where it is for up to 100 levels a side, 50 for 1000 and 250 for 5000.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.binance.control import LEVELS
from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser

__all__ = ["SEED_LEVELS", "parse", "path", "seed_path"]

SEED_LEVELS: Final = 1000
"""Levels of a seed. A price leaves a hundred levels within about 90 s, as was measured."""


class _Book(NumberedBook):
    seq: int = msgspec.field(name="lastUpdateId")


parse = seed_parser(msgspec.json.Decoder(_Book, strict=False))


def path(symbol: str) -> str:
    """Return where the book of a symbol, as streams spell it, is had as deep as its whole tops."""
    return _path(symbol, LEVELS)


def seed_path(symbol: str) -> str:
    """Return where it is had so deep that changes can go on from it."""
    return _path(symbol, SEED_LEVELS)


def _path(symbol: str, levels: int) -> str:
    return f"/api/v3/depth?symbol={quote(symbol.upper())}&limit={levels}"
