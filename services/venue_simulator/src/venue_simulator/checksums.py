"""The checksum that OKX sent until 2026, of the text of a book's levels."""

from __future__ import annotations

import zlib
from itertools import zip_longest
from typing import Final

from venue_simulator.book import Levels

__all__ = ["CHECKSUM_LEVELS", "interleaved_crc32"]

CHECKSUM_LEVELS: Final = 25


def interleaved_crc32(bids: Levels, asks: Levels) -> int:
    """Return the signed CRC32 of price and amount of 25 bids and asks in turn, joined by colons."""
    pairs = zip_longest(bids[:CHECKSUM_LEVELS], asks[:CHECKSUM_LEVELS])
    text = ":".join(number for pair in pairs for level in pair if level for number in level)
    unsigned = zlib.crc32(text.encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned
