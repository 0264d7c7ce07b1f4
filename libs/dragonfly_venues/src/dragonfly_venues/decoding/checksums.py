"""Books of changes with a checksum of the levels' text in each message, where the venue sends one.

OKX and Bitget: price and amount, as they were printed, of the best 25 bids and asks in turn, joined
by colons; the CRC32 of that, signed. Both have come to send 0, or none, which says nothing: frames
are read for their text only where the changes of a book carry a checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, Literal, Protocol, TypeVar
from zlib import crc32

import msgspec

from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Seed, Sequencer
from dragonfly_venues.decoding.frames import Decodes, read
from dragonfly_venues.decoding.printed_sides import PrintedLevel, PrintedSide
from dragonfly_venues.decoding.shapes import Symbol
from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS
from dragonfly_venues.events import Broken, Event, Verified, WholeBook

__all__ = ["ChecksummedDecoder", "Held", "Push"]

CHECKSUM_LEVELS: Final = 25

H_co = TypeVar("H_co", bound="Held", covariant=True)

_Levels = list[list[str | float]]


class _Sides(msgspec.Struct):
    bids: _Levels
    asks: _Levels


class _Frame(msgspec.Struct):
    data: tuple[_Sides]


_FRAME: Final = msgspec.json.Decoder(_Frame)


class _Texts:
    """The levels of one book as they were printed. Frames are read when it is asked."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._unread: list[bytes] = []
        self._bids, self._asks = PrintedSide(-1.0), PrintedSide(1.0)

    def add(self, frame: bytes) -> None:
        """Take the frame that came next, a snapshot at first."""
        self._unread.append(frame)

    def checksum(self) -> int:
        """Return the checksum of the best levels."""
        for frame in self._unread:
            (sides,) = read(_FRAME, frame).data
            self._apply(self._bids, sides.bids)
            self._apply(self._asks, sides.asks)
        self._unread.clear()
        bids, asks = self._bids.texts[:CHECKSUM_LEVELS], self._asks.texts[:CHECKSUM_LEVELS]
        both = min(len(bids), len(asks))
        parts = [b""] * (2 * both)
        parts[::2], parts[1::2] = bids[:both], asks[:both]
        parts += bids[both:] or asks[both:]
        unsigned = crc32(b":".join(parts))
        return unsigned - 2**32 if unsigned >= 2**31 else unsigned

    def _apply(self, side: PrintedSide, levels: _Levels) -> None:
        for price, amount, *_ in levels:
            text = f"{price}:{amount}".encode()
            side.apply(PrintedLevel((float(price), float(amount)), text))
        side.cut(self._window)


class Held(Protocol):
    """What a frame says of a book. A venue's own says how it spells levels and numbers."""

    @property
    def checksum(self) -> int:
        """Its checksum; 0 stands for none."""
        ...

    def change(self) -> Change:
        """Return it as a change; of a snapshot, `last` is its number."""
        ...


class _Arg(msgspec.Struct, rename="camel"):
    inst_id: Symbol


class Push(msgspec.Struct, Generic[H_co]):
    """A frame of a book."""

    arg: _Arg
    action: Literal["snapshot", "update"]
    data: tuple[H_co]


class ChecksummedDecoder(DeltaDecoder):
    """A decoder of snapshots and their changes, whose frames may carry checksums.

    A checksum that does not hold is a fault once one has held on the connection: of a venue that
    makes it of other levels, or of nothing, there would never be a book.
    """

    def __init__(
        self,
        depth: int,
        sequencer: Sequencer,
        window: int,
        mark: bytes,
        pushes: Decodes[Push[Held]],
        other: Callable[[bytes], Sequence[Event]],
    ) -> None:
        """Make books as `DeltaDecoder` says.

        Args:
            depth: Levels a side that will be used.
            sequencer: The venue's rules.
            window: Levels a side that the venue keeps current.
            mark: Begins each frame of a book.
            pushes: Decodes them.
            other: Returns what any other frame says, or raises `FrameError`.
        """
        super().__init__(depth, sequencer, window=window)
        self._window = window
        self._mark = mark
        self._pushes = pushes
        self._other = other
        self._texts: dict[str, _Texts] = {}
        """Of the books whose changes carry checksums, as far as is known."""
        self._has_held = False

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says, and whether its checksum holds; see `Decoder`."""
        if not frame.startswith(self._mark):
            return self._other(frame)
        push = read(self._pushes, frame)
        symbol, held = push.arg.inst_id, push.data[0]
        change, checksum, whole = held.change(), held.checksum, push.action == "snapshot"
        if whole:
            seed = Seed(change.last, change.bids, change.asks, venue_seq=change.venue_seq)
            events = self.snapshot(symbol, seed, change.ts_event)
            self._begin(symbol)
        else:
            events = self.change(symbol, change)
        texts = self._texts.get(symbol)
        if texts is None:
            return events
        texts.add(frame)
        return self._verified(symbol, texts, events, checksum, whole=whole)

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`; see `Decoder`."""
        super().forget(symbol)
        self._texts.pop(symbol, None)

    def _verified(
        self, symbol: str, texts: _Texts, events: Sequence[Event], checksum: int, *, whole: bool
    ) -> Sequence[Event]:
        """Return `events`, and whether the checksum of their frame holds.

        A snapshot, which is `whole`, may carry none though the changes do.
        """
        if whole and not checksum:
            return events
        if not checksum or self.seq(symbol) < 0:
            del self._texts[symbol]
            return events
        computed = texts.checksum()
        if computed == checksum:
            self._has_held = True
            return (*events, Verified(symbol))
        if not self._has_held:
            del self._texts[symbol]
            return events
        self.forget(symbol)
        return (Broken(symbol, "checksum", f"{computed} is not {checksum}"),)

    def _begin(self, symbol: str) -> None:
        if len(self._texts) >= MAX_SYMBOLS:
            self._texts.clear()
        self._texts[symbol] = _Texts(self._window)
