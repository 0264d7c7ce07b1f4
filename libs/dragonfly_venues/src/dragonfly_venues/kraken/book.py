"""Kraken's book of one symbol: levels keep the text that the checksum is made of.

Rules (docs.kraken.com, websocket-v2/book and the book-checksum-v2 guide):

1. A snapshot replaces the book.
2. Levels of an update are applied strictly in array order; a quantity of 0 removes the price,
   any other replaces what the price had. A price may appear twice, and may be unknown.
3. When all of a message is applied, each side is cut to the subscribed depth: the venue sends no
   removal for a level that is pushed out.
4. Then the CRC32 of the best 10 asks and the best 10 bids, best first, must equal the message's:
   of each level the price's digits and the quantity's digits, without point and leading zeros.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from math import inf
from typing import Final
from zlib import crc32

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.printed_sides import PrintedLevel, PrintedSide
from dragonfly_venues.events import FrameError

__all__ = ["KrakenBook", "RawLevel", "read_changes"]

CHECKSUM_LEVELS: Final = 10

_MAX_NUMBER_BYTES: Final = 64
_EXPONENT: Final = re.compile(rb"[0-9]{1,30}(?:\.[0-9]{1,30})?[eE][+-]?[0-9]{1,2}")


class RawLevel(msgspec.Struct, gc=False):
    """One level as sent: the texts of two JSON numbers."""

    price: msgspec.Raw
    qty: msgspec.Raw


def read_changes(levels: Sequence[RawLevel]) -> list[PrintedLevel]:
    """Return `levels` as changes to apply, in the same order.

    Raises:
        FrameError: `bad_level`: not a JSON number, not finite, price not above 0, amount below 0.
    """
    return [_read_change(bytes(level.price), bytes(level.qty)) for level in levels]


def _read_change(price_text: bytes, amount_text: bytes) -> PrintedLevel:
    price_digits, amount_digits = _digits(price_text), _digits(amount_text)
    price, amount = float(price_text), float(amount_text)
    if not (0.0 < price < inf and amount < inf):
        raise FrameError("bad_level", f"{price} {amount}")
    return PrintedLevel((price, amount), price_digits + amount_digits)


def _digits(number: bytes) -> bytes:
    digits = number.replace(b".", b"", 1)
    if digits.isdigit() and len(digits) < _MAX_NUMBER_BYTES:
        return digits.lstrip(b"0")
    return _digits_of_exponent(number)


def _digits_of_exponent(number: bytes) -> bytes:
    """Return the digits of a number such as 1e-08, as if it were printed in full."""
    if _EXPONENT.fullmatch(number):
        return format(Decimal(number.decode()), "f").replace(".", "").lstrip("0").encode()
    raise FrameError("bad_level", repr(number[:_MAX_NUMBER_BYTES]))


class KrakenBook:
    """The book of one symbol on one subscription."""

    __slots__ = ("_asks", "_bids", "_checksum", "_depth", "news_at")

    def __init__(self, depth: int) -> None:
        """Make an empty book that keeps `depth` levels a side, as was subscribed."""
        self._depth = depth
        self._bids = PrintedSide(-1.0)
        self._asks = PrintedSide(1.0)
        self._checksum: int | None = None
        self.news_at = 0
        """The levels of both sides before this place are as they were before the last message."""

    def apply(self, bids: Sequence[PrintedLevel], asks: Sequence[PrintedLevel]) -> None:
        """Apply all of one message, then cut (rules 2 and 3)."""
        places = [self._bids.apply(change) for change in bids]
        places += [self._asks.apply(change) for change in asks]
        self._bids.cut(self._depth)
        self._asks.cut(self._depth)
        self.news_at = min(places, default=self._depth)
        if self.news_at < CHECKSUM_LEVELS:
            self._checksum = None

    def checksum(self) -> int:
        """Return the CRC32 that the venue must have computed (rule 4)."""
        if self._checksum is None:
            best = self._asks.texts[:CHECKSUM_LEVELS] + self._bids.texts[:CHECKSUM_LEVELS]
            self._checksum = crc32(b"".join(best))
        return self._checksum

    def top(self, depth: int) -> tuple[Side, Side]:
        """Return the best `depth` bids and asks."""
        return tuple(self._bids.levels[:depth]), tuple(self._asks.levels[:depth])
