"""Frames of Bitget: a snapshot of a book, then changes, each naming the one it follows.

{"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},"data":[{"asks":
 [["8477","7"]],"bids":[],"checksum":0,"seq":124,"pseq":123,"ts":"1730332800391"}],"ts":1730332800436}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from dragonfly_venues.bitget.control import understand
from dragonfly_venues.decoding.checksums import ChecksummedDecoder
from dragonfly_venues.decoding.delta_books import Change, Links, Seed
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import NS_PER_MS, Changes, Seq, Symbol, TimeMs
from dragonfly_venues.events import Event, WholeBook

__all__ = ["WINDOW", "BitgetDecoder", "BitgetSequencer"]

WINDOW: Final = 500
"""Levels a side that the channel `books` keeps current."""

_PUSH: Final = b'{"action":'


class BitgetSequencer(Links):
    """Bitget's rules. Source: bitget.com/api-doc/spot/websocket/public/Depth-Channel (2026).

    1. A snapshot replaces the book, whenever it comes; its `seq` is the book's number. `books1`
       carries snapshots alone.
    2. An update's `pseq` must be the book's number, which then becomes its `seq`. Numbers are not
       consecutive: only the link counts.
    3. Any other `pseq` is a gap: the channel is subscribed anew.
    4. Until 2024 there were no numbers: all are 0 then, so that any update continues the book, and
       the book is known by its time, in ms. One of them among numbers is a gap.
    5. A checksum is of the text of 25 levels (`decoding.checksums`), where there is one: 0 on
       snapshots until 2026, and none at all since.
    """


class _Arg(msgspec.Struct, rename="camel"):
    inst_id: Symbol


class _Data(msgspec.Struct):
    asks: Changes
    bids: Changes
    ts: TimeMs
    """The matching engine's; that of the frame is of sending."""
    seq: Seq = 0
    pseq: Seq = 0
    checksum: int = 0


class _Push(msgspec.Struct):
    action: Literal["snapshot", "update"]
    arg: _Arg
    data: tuple[_Data]


_PUSHES: Final = msgspec.json.Decoder(_Push, strict=False)


class BitgetDecoder(ChecksummedDecoder):
    """The decoder of one connection to Bitget."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, BitgetSequencer(), WINDOW)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if not frame.startswith(_PUSH):
            return understand(frame)
        push = read(_PUSHES, frame)
        symbol, data = push.arg.inst_id, push.data[0]
        venue_seq, ts_event = data.seq or data.ts, data.ts * NS_PER_MS
        whole = push.action == "snapshot"
        if whole:
            seed = Seed(data.seq, data.bids, data.asks, venue_seq=venue_seq)
            events = self.snapshot(symbol, seed, ts_event)
        else:
            change = Change(data.pseq, data.seq, data.bids, data.asks, ts_event, venue_seq)
            events = self.change(symbol, change)
        return self.verified(symbol, frame, events, data.checksum, whole=whole)
