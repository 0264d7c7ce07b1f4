"""Frames of Kraken: a snapshot of a symbol's book, then changes, each with a checksum.

    {"channel":"book","type":"update","data":[{"symbol":"ALGO/USD","bids":[{"price":0.12275,
     "qty":6597.51731160}],"asks":[],"checksum":1100635717,"timestamp":"2024-10-03T…Z"}]}

The checksum is the only detector of loss, and the time that of disorder: a change that comes late
can make the book what it was before. A book whose checksum fails, whose time goes back, or one of
whose changes could not be read, is dropped and said to be broken, once; what follows of it is
ignored until the next snapshot. The checksum covers ten levels: where more are published, a frame
that cannot be read at all may have been a change of any book's deeper levels, so all books are
dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import Symbol
from dragonfly_venues.decoding.times import NS_PER_US, Time, stamp_us
from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS
from dragonfly_venues.events import BookTop, Broken, Event, FrameError, Unchanged, WholeBook
from dragonfly_venues.kraken.book import (
    CHECKSUM_LEVELS,
    KrakenBook,
    RawLevel,
    read_changes,
)
from dragonfly_venues.kraken.control import DEPTHS, understand
from dragonfly_venues.venue import Decoder, offered

__all__ = ["KrakenDecoder"]


class _Message(msgspec.Struct):
    """One symbol's part of a book frame."""

    symbol: Symbol
    checksum: int
    bids: list[RawLevel] = []
    asks: list[RawLevel] = []
    timestamp: Time | None = None


class _Frame(msgspec.Struct):
    type: str
    data: list[_Message]


class _Feed:
    """One symbol: its book and what was last said of it."""

    __slots__ = ("asks", "bids", "book", "same", "seq")

    def __init__(self, symbol: str, channel_depth: int) -> None:
        self.book = KrakenBook(channel_depth)
        self.same = Unchanged(symbol)
        self.seq = 0
        self.bids: Side | None = None
        self.asks: Side | None = None


_FRAME: Final = msgspec.json.Decoder(_Frame)


class KrakenDecoder(Decoder):
    """The decoder of one connection to Kraken."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._channel_depth = offered(depth, DEPTHS)
        # None: it waits for a snapshot, and nothing more is said until then.
        self._feeds: dict[str, _Feed | None] = {}

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        try:
            # Other frames name the channel too, inside their result.
            if not frame.startswith(b'{"channel":"book"'):
                channel, events = understand(frame)
                if channel != "book":
                    return events
            message = read(_FRAME, frame)
        except FrameError:
            if self._channel_depth > CHECKSUM_LEVELS:
                self._feeds.clear()
            raise
        if message.type not in {"snapshot", "update"}:
            raise FrameError("bad_shape", f"book {message.type[:60]}")
        snapshot = message.type == "snapshot"
        return [self._event(part, snapshot=snapshot) for part in message.data]

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`, and ignore it until its next snapshot."""
        self._keep(symbol, None)

    def seq(self, symbol: str) -> int:
        """Return the stamp of the last frame of `symbol`; see `Decoder`."""
        known = self._feeds.get(symbol)
        return -1 if known is None else known.seq

    def _event(self, message: _Message, *, snapshot: bool) -> Event:
        symbol = message.symbol
        known = _Feed(symbol, self._channel_depth) if snapshot else self._feeds.get(symbol)
        if known is None:
            if symbol in self._feeds:
                return Unchanged(symbol)
            return self._broken(symbol, "no_snapshot", "a change came before any snapshot")
        try:
            known.book.apply(read_changes(message.bids), read_changes(message.asks))
        except FrameError as error:
            return self._broken(symbol, "malformed", str(error))
        checksum = known.book.checksum()
        if checksum != message.checksum:
            return self._broken(
                symbol, "checksum", f"the venue says {message.checksum}, the book {checksum}"
            )
        # The checksum does not cover it.
        stamp = stamp_us(message.timestamp)
        if stamp is not None and stamp < known.seq:
            # A late change can restore an older state, whose checksum then holds.
            return self._broken(symbol, "reset", f"its time went from {known.seq} to {stamp} µs")
        if snapshot:
            self._keep(symbol, known)
        return self._top(known, stamp)

    def _top(self, known: _Feed, stamp: int | None) -> Event:
        ts_event = None
        if stamp is not None:
            ts_event = stamp * NS_PER_US
            known.seq = stamp
        if known.bids is not None and known.book.news_at >= self._depth:
            return known.same
        bids, asks = known.book.top(self._depth)
        if bids == known.bids and asks == known.asks:
            return known.same
        known.bids, known.asks = bids, asks
        return BookTop(known.same.symbol, known.seq, ts_event, bids, asks)

    def _broken(self, symbol: str, cause: str, detail: str) -> Broken:
        self._keep(symbol, None)
        return Broken(symbol, cause, detail)

    def _keep(self, symbol: str, known: _Feed | None) -> None:
        if symbol not in self._feeds and len(self._feeds) >= MAX_SYMBOLS:
            del self._feeds[next(iter(self._feeds))]
        self._feeds[symbol] = known
