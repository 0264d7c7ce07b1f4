"""Bitfinex's checksum of a book. Source: docs.bitfinex.com, "WebSocket checksum".

1. It covers the best 25 bids and the best 25 asks, whatever depth is subscribed.
2. Rank by rank: bid price, bid amount, ask price, ask amount; a side that has run out is left out.
3. Amounts of asks are negative, as in the frames.
4. A number's text is JavaScript's: its shortest digits, without ".0", positional from 1e-6 to 1e21,
   and with an exponent without leading zeros outside that (1e-7).
5. The texts are joined by ":"; their CRC32 is compared as a signed number of 32 bits.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import zip_longest
from typing import Final
from zlib import crc32

from dragonfly_common.types import Side

__all__ = ["CHECKSUM_LEVELS", "checksum", "number_text"]

CHECKSUM_LEVELS: Final = 25


def checksum(bids: Side, asks: Side) -> int:
    """Return the checksum of the best `CHECKSUM_LEVELS` of each side."""
    texts: list[str] = []
    for bid, ask in zip_longest(bids[:CHECKSUM_LEVELS], asks[:CHECKSUM_LEVELS]):
        for level, sign in ((bid, ""), (ask, "-")):
            if level is not None:
                price, amount = level
                texts += (number_text(price), sign + number_text(amount))
    unsigned = crc32(":".join(texts).encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


def number_text(number: float) -> str:
    """Return a positive number as JavaScript prints it."""
    text = repr(number).removesuffix(".0")
    if "e" not in text:
        return text
    if 1e-6 <= number < 1e21:
        return format(Decimal(text), "f")
    digits, exponent = text.split("e")
    return f"{digits}e{int(exponent):+d}"
