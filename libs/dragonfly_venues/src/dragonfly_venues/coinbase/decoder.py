"""Frames of Coinbase Exchange: a whole book, then changes in the order they are sent.

    {"type":"snapshot","product_id":"BTC-USD","asks":[["10102.55","0.57"]],"bids":[["10101.10",
     "0.45"]],"time":"2026-09-30T12:00:00.000000Z"}
    {"type":"l2update","product_id":"BTC-USD","changes":[["buy","10101.80","0.16"]],
     "time":"2026-09-30T12:00:00.050000Z"}

Nothing numbers changes: one that is lost alone cannot be noticed. One that cannot be read breaks
its book, or all books where it does not show whose it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.coinbase.control import understand
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Seed, Unlinked
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import Amount, Price, Symbol
from dragonfly_venues.decoding.times import NS_PER_US, Time, stamp_us
from dragonfly_venues.events import Broken, Event, FrameError, Heard, WholeBook

__all__ = ["CoinbaseDecoder", "CoinbaseSequencer", "StampedDecoder"]

_SNAPSHOT: Final = b'{"type":"snapshot"'
_UPDATE: Final = b'{"type":"l2update"'
_HEARTBEAT: Final = b'{"type":"heartbeat"'

HEARTBEATS_MISSING_US: Final = 3_000_000
"""Between the times of two heartbeats, of which then two are missing."""


class CoinbaseSequencer(Unlinked):
    """Coinbase's rules. Source: docs.cdp.coinbase.com, "Level2 Batch Channel".

    1. Each subscription begins with a snapshot, the whole book, which replaces what was there.
    2. Changes follow it in the order of the connection, and those of one message in its order.
    3. An amount is absolute; one that is numerically 0 removes its price.
    4. There is neither a number nor a checksum: after a loss only a new snapshot is right.
    5. A heartbeat comes every second. Where several are missing, so are the changes beside them.
    """


class StampedDecoder(DeltaDecoder):
    """Books whose changes have a time, and no number of their own: the time is their number.

    Coinbase has sent times of year 1, of 1970, and none: such a change has its predecessor's.
    """

    def __init__(self, depth: int) -> None:
        super().__init__(depth, CoinbaseSequencer())

    def begin(self, symbol: str, bids: Side, asks: Side, time: datetime | None) -> Sequence[Event]:
        """Return what a whole book says."""
        seq, ts_event = self._stamp(symbol, time)
        return self.snapshot(symbol, Seed(seq, bids, asks), ts_event)

    def go_on(self, symbol: str, bids: Side, asks: Side, time: datetime | None) -> Sequence[Event]:
        """Return what changes of a book say."""
        seq, ts_event = self._stamp(symbol, time)
        return self.change(symbol, Change(seq, seq, bids, asks, ts_event))

    def _stamp(self, symbol: str, time: datetime | None) -> tuple[int, int | None]:
        """Return the number that a time makes of a book, and the time in ns UTC if it is one."""
        known, stamp = max(self.seq(symbol), 0), stamp_us(time)
        return (known, None) if stamp is None else (max(known, stamp), stamp * NS_PER_US)


class _Snapshot(msgspec.Struct):
    product_id: Symbol
    bids: tuple[tuple[Price, Amount], ...]
    asks: tuple[tuple[Price, Amount], ...]
    time: Time | None = None


class _Update(msgspec.Struct):
    product_id: Symbol
    changes: tuple[tuple[Literal["buy", "sell"], Price, Amount], ...]
    time: Time | None = None


class _Heartbeat(msgspec.Struct):
    product_id: Symbol
    time: Time | None = None


class _Named(msgspec.Struct):
    product_id: Symbol


_SNAPSHOTS: Final = msgspec.json.Decoder(_Snapshot, strict=False)
_UPDATES: Final = msgspec.json.Decoder(_Update, strict=False)
_HEARTBEATS: Final = msgspec.json.Decoder(_Heartbeat)
_NAMED: Final = msgspec.json.Decoder(_Named)
_HEARD: Final = (Heard(),)


class CoinbaseDecoder(StampedDecoder):
    """The decoder of one connection to Coinbase Exchange."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        self._lost: Sequence[Event] = ()
        """Return the loss that an unreadable frame is: it may have changed any book."""
        self._beats: dict[str, int] = {}
        """Times of the last heartbeats beside a book, µs."""

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        try:
            events = self._read(frame)
        except FrameError as error:
            if error.reason != "unknown_channel":
                self._lost = self.lose(str(error))
            raise
        if self._lost:
            # Said a second later at most, with the next heartbeat.
            events, self._lost = (*self._lost, *events), ()
        return events

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`; see `Decoder`."""
        super().forget(symbol)
        self._beats.pop(symbol, None)

    def _beat(self, heartbeat: _Heartbeat) -> Sequence[Event]:
        symbol, stamp = heartbeat.product_id, stamp_us(heartbeat.time)
        if stamp is None or self.seq(symbol) < 0:
            return _HEARD
        last = self._beats.get(symbol, stamp)
        if stamp - last < HEARTBEATS_MISSING_US:
            self._beats[symbol] = stamp
            return _HEARD
        self.forget(symbol)
        return (Broken(symbol, "gap", f"no heartbeat for {(stamp - last) / 1e6:.1f} s"),)

    def _read(self, frame: bytes) -> Sequence[Event]:
        try:
            if frame.startswith(_UPDATE):
                update = read(_UPDATES, frame)
                changes = update.changes
                bids = tuple([(price, size) for side, price, size in changes if side == "buy"])
                asks = tuple([(price, size) for side, price, size in changes if side == "sell"])
                return self.go_on(update.product_id, bids, asks, update.time)
            if frame.startswith(_SNAPSHOT):
                book = read(_SNAPSHOTS, frame)
                return self.begin(book.product_id, book.bids, book.asks, book.time)
            if frame.startswith(_HEARTBEAT):
                return self._beat(read(_HEARTBEATS, frame))
        except FrameError as error:
            symbol = read(_NAMED, frame).product_id
            self.forget(symbol)
            return (Broken(symbol, "malformed", str(error)),)
        return understand(frame)
