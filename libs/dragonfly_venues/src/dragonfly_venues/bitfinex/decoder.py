"""Frames of Bitfinex: a snapshot of a book, then changes, and checksums between them.

    [943592,[[6000,2,1.5],[6100,1,-3]],7,1790114272304]    the snapshot; asks are negative
    [943592,[6000,0,1],8,1790114272354]                    6000 left the bids
    [943592,[[6000,1,2],[6001,1,1]],9,1790114272355]       two levels at once
    [943592,"cs",1756193398,10,1790114272400]              the checksum of the book as it is now
    [943592,"hb",11,1790114272404]

The last numbers are the socket's counter and the time in ms, by which a book is known on any
connection; the first is the channel, as its acknowledgement called it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from dragonfly_common.types import Level

from dragonfly_venues.bitfinex.checksum import CHECKSUM_LEVELS, checksum
from dragonfly_venues.bitfinex.control import CHANNEL, LENGTHS, Control, read_control, say
from dragonfly_venues.decoding.delta_books import (
    Change,
    ConnectionSequence,
    DeltaDecoder,
    Seed,
    Unlinked,
)
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import MAX_NUMBER, NS_PER_MS, Price, Seq, TimeMs
from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS
from dragonfly_venues.events import Broken, Event, FrameError, Heard, Verified, WholeBook
from dragonfly_venues.venue import offered

__all__ = ["BitfinexDecoder", "BitfinexSequence"]

_HEARD: Final = (Heard(),)
_SEVERAL: Final = (b"[[", b"[]")

_Amount = Annotated[float, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
_Entry = tuple[Price, Seq, _Amount]


class BitfinexSequence(ConnectionSequence):
    """Bitfinex's rules. Source: docs.bitfinex.com, "WebSocket general", flag SEQ_ALL.

    1. One counter for each socket begins at 1 and numbers every frame that is an array: those of
       all channels, heartbeats and checksums among them. Objects are not numbered.
    2. A number that is not one above the last means that frames were lost, of channels unknown: all
       books are subscribed anew.
    3. The first array of entries of a channel is its snapshot; what comes after changes it, in the
       order of the entries.
    4. An entry is price, count of orders and amount. A count of 0 removes the price, from the bids
       where the amount is 1 and from the asks where it is -1; else the amount is all that is there
       now, negative of an ask.
    5. A channel keeps as many levels as were subscribed: one that leaves them is removed by an
       entry.
    """

    def __init__(self) -> None:
        super().__init__(first=1)


class _Push(msgspec.Struct, array_like=True, gc=False):
    """Entries of a book, or whatever another channel sends."""

    channel: int
    content: msgspec.Raw
    number: Seq
    time_ms: TimeMs | None = None


class _Heartbeat(msgspec.Struct, array_like=True, gc=False):
    channel: int
    kind: Literal["hb"]
    number: Seq


class _Told(msgspec.Struct, array_like=True, gc=False):
    """A checksum, or what another channel calls by a name."""

    channel: int
    kind: str
    content: msgspec.Raw
    number: Seq


class _Channel:
    """One subscription of a symbol."""

    __slots__ = ("begun", "symbol", "time_ms")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.begun = False
        """True once its snapshot has come."""
        self.time_ms = 0
        """The latest that was told: a clock that is set back moves no book back."""


_PUSH: Final = msgspec.json.Decoder(_Push)
_HEARTBEAT: Final = msgspec.json.Decoder(_Heartbeat)
_TOLD: Final = msgspec.json.Decoder(_Told)
_ENTRY: Final = msgspec.json.Decoder(_Entry)
_ENTRIES: Final = msgspec.json.Decoder(tuple[_Entry, ...])
_CHECKSUM: Final = msgspec.json.Decoder(int)


class BitfinexDecoder(DeltaDecoder):
    """The decoder of one connection to Bitfinex."""

    def __init__(self, depth: int) -> None:
        window = offered(depth, LENGTHS)
        super().__init__(depth, Unlinked(), window=window)
        self._sequence = BitfinexSequence()
        self._channels: dict[int, _Channel] = {}

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        at = frame.find(b",") + 1
        if not frame.startswith(b"["):
            return self._other(frame)
        if frame.startswith(b"[", at):
            return self._changed(read(_PUSH, frame), several=frame.startswith(_SEVERAL, at))
        if frame.startswith(b'"hb"', at):
            return self._lost(read(_HEARTBEAT, frame).number) or _HEARD
        if frame.startswith(b'"', at):
            return self._verify(read(_TOLD, frame))
        return self._other(frame)

    def _other(self, frame: bytes) -> Sequence[Event]:
        if frame.startswith(b"{"):
            control = read_control(frame)
            return say(control, self._symbol(control))
        try:
            compact = msgspec.json.format(frame, indent=-1)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise FrameError("not_json", str(error)) from None
        if compact == frame:
            raise FrameError("bad_shape", "neither an object nor the array of a channel")
        return self.decode(compact)

    def _symbol(self, control: Control) -> str | None:
        """Return whose book `control` is about, and keep what its channel is called."""
        number = control.chan_id
        if control.event == "subscribed":
            if number is None or control.channel != CHANNEL:
                return None
            # Of an older subscription of the symbol nothing is wanted any more.
            self._channels = {
                known: channel
                for known, channel in self._channels.items()
                if channel.symbol != control.symbol
            }
            if len(self._channels) >= MAX_SYMBOLS:
                del self._channels[next(iter(self._channels))]
            self._channels[number] = _Channel(control.symbol)
            self.forget(control.symbol)
        elif number is not None and (known := self._channels.get(number)) is not None:
            if control.event == "unsubscribed":
                del self._channels[number]
            return known.symbol
        return control.symbol or None

    def _lost(self, number: int) -> Sequence[Event]:
        """Take the number of a frame; return the loss of those before it, if they were lost."""
        detail = self._sequence.take(number)
        return () if detail is None else self.lose(detail)

    def _changed(self, push: _Push, *, several: bool) -> Sequence[Event]:
        lost = self._lost(push.number)
        channel = self._channels.get(push.channel)
        said = _HEARD if channel is None else self._applied(channel, push, several=several)
        return (*lost, *said) if lost else said

    def _applied(self, channel: _Channel, push: _Push, *, several: bool) -> Sequence[Event]:
        try:
            entries = read(_ENTRIES, push.content) if several else (read(_ENTRY, push.content),)
        except FrameError as error:
            return self._broken(channel, "malformed", str(error))
        bids: list[Level] = []
        asks: list[Level] = []
        for price, count, amount in entries:
            side = bids if amount > 0.0 else asks
            side.append((price, abs(amount) if count else 0.0))
        seq, ts_event = push.number, None
        if push.time_ms is not None:
            seq = channel.time_ms = max(channel.time_ms, push.time_ms)
            ts_event = push.time_ms * NS_PER_MS
        if several and not channel.begun:
            channel.begun = True
            return self.snapshot(channel.symbol, Seed(seq, tuple(bids), tuple(asks)), ts_event)
        change = Change(seq, seq, tuple(bids), tuple(asks), ts_event)
        return self.change(channel.symbol, change)

    def _verify(self, told: _Told) -> Sequence[Event]:
        lost = self._lost(told.number)
        channel = self._channels.get(told.channel)
        best = None if channel is None else self.best(channel.symbol, CHECKSUM_LEVELS)
        if channel is None or best is None or told.kind != "cs":
            return lost or _HEARD
        expected, found = read(_CHECKSUM, told.content), checksum(*best)
        if found == expected:
            return (Verified(channel.symbol),)
        return self._broken(channel, "checksum", f"the venue says {expected}, the book {found}")

    def _broken(self, channel: _Channel, cause: str, detail: str) -> Sequence[Event]:
        self.forget(channel.symbol)
        return (Broken(channel.symbol, cause, detail),)
