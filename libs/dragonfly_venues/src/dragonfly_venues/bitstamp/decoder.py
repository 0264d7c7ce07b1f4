"""What Bitstamp's frames mean: a whole top of book each.

    {"data":{"timestamp":"1643673600","microtimestamp":"1643673600123456","bids":[["38500.00","0.12"]],
     "asks":[…]},"channel":"order_book_btcusd","event":"data"}

`microtimestamp` strictly rises within a channel, so it is both the time and the sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.bitstamp.control import CHANNEL_PREFIX, understand
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.whole_tops import TopFilters, UnfamiliarText
from dragonfly_venues.events import Event, FrameError, Top, WholeBook

__all__ = ["BitstampDecoder"]

_STAMP: Final = b'"microtimestamp":"'
_BIDS: Final = b'"bids":['
_ASKS: Final = b'"asks":['
_CHANNEL: Final = b'"channel":"'
_EVENT: Final = b'"event":"data"'
_MAX_DIGITS: Final = 18
_NS_PER_US: Final = 1000
_MAX_STAMP_US: Final = (2**63 - 1) // _NS_PER_US


class _Book(msgspec.Struct):
    microtimestamp: int
    bids: Side
    asks: Side


class _Frame(msgspec.Struct):
    event: str
    channel: str
    data: _Book


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)


class BitstampDecoder:
    """The decoder of one connection to Bitstamp."""

    def __init__(self, depth: int) -> None:
        self._filters = TopFilters(depth, prefix=CHANNEL_PREFIX)

    def feed(self, frame: bytes, book: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        try:
            if book is None:
                stamp_at = frame.find(_STAMP)
                if stamp_at < 0:
                    return self._other(frame)
                stamp_us, channel, bids_at, asks_at = _places(frame, stamp_at)
            else:
                stamp_us, channel, bids_at, asks_at = (
                    book.seq,
                    book.channel,
                    book.bids_at,
                    book.asks_at,
                )
            known = self._filters.of(channel)
            return known.compare(frame, bids_at, asks_at, stamp_us, stamp_us * _NS_PER_US)
        except UnfamiliarText:
            return self._in_full(frame)

    def whole_book(self, frame: bytes) -> WholeBook | None:
        """Return which book `frame` holds; see `Decoder`."""
        try:
            places = _places(frame, frame.find(_STAMP))
        except (UnfamiliarText, FrameError):
            return None
        symbol = self._filters.booked(places[1])
        return WholeBook(symbol, *places) if symbol else None

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`."""
        self._filters.forget(symbol)

    def seq(self, symbol: str) -> int:
        """Return the sequence of the last frame of `symbol`; see `Decoder`."""
        return self._filters.seq(symbol)

    def seed(self, book: Top) -> Sequence[Event]:
        """Return what comes of a book that REST gave; see `Decoder`."""
        return self._filters.seed(book)

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` stands as REST gave it."""
        return self._filters.seeded(symbol)

    def _other(self, frame: bytes) -> Sequence[Event]:
        return self._in_full(frame) if b'"microtimestamp"' in frame else understand(frame)

    def _in_full(self, frame: bytes) -> Sequence[Event]:
        message = read(_FRAME, frame)
        if message.event != "data":
            raise FrameError("unknown_channel", message.event[:60])
        book = message.data
        stamp_us = _checked(book.microtimestamp)
        known = self._filters.of(message.channel.encode())
        return known.whole(book.bids, book.asks, stamp_us, stamp_us * _NS_PER_US)


def _places(frame: bytes, stamp_at: int) -> tuple[int, bytes, int, int]:
    """Return (microseconds, channel, where bids begin, where asks do).

    `stamp_at` is where _STAMP was found.

    Raises:
        UnfamiliarText: the text is not laid out as the venue does.
        FrameError: `bad_sequence`.
    """
    bids_at = frame.find(_BIDS)
    asks_at = frame.find(_ASKS)
    # From the end: both stand behind 5 kB of levels.
    channel_at = frame.rfind(_CHANNEL)
    number_at = stamp_at + len(_STAMP)
    stamp = frame[number_at : frame.find(b'"', number_at)]
    if (
        stamp_at < 0
        or channel_at < 0
        or bids_at < 0
        or asks_at < 0
        or frame.rfind(_EVENT) < 0
        or not stamp.isdigit()
        or len(stamp) > _MAX_DIGITS
        or b"\\" in frame
        or not frame.endswith(b"}")
    ):
        raise UnfamiliarText
    channel_at += len(_CHANNEL)
    channel = frame[channel_at : frame.find(b'"', channel_at)]
    return _checked(int(stamp)), channel, bids_at + len(_BIDS), asks_at + len(_ASKS)


def _checked(stamp_us: int) -> int:
    if not 0 <= stamp_us <= _MAX_STAMP_US:
        raise FrameError("bad_sequence", f"microtimestamp {stamp_us}")
    return stamp_us
