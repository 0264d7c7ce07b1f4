"""Frames of Bitget: a snapshot of a book, then changes, each naming the one it follows.

{"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},"data":[{"asks":
 [["8477","7"]],"bids":[],"checksum":0,"seq":124,"pseq":123,"ts":"1730332800391"}],"ts":1730332800436}
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.decoding.arguments import understand
from dragonfly_venues.decoding.checksums import ChecksummedDecoder, Push
from dragonfly_venues.decoding.delta_books import Change, Links
from dragonfly_venues.decoding.shapes import NS_PER_MS, Changes, Seq, TimeMs

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


class _Data(msgspec.Struct):
    asks: Changes
    bids: Changes
    ts: TimeMs
    """The matching engine's; that of the frame is of sending."""
    seq: Seq = 0
    pseq: Seq = 0
    checksum: int = 0

    def change(self) -> Change:
        ts_event, venue_seq = self.ts * NS_PER_MS, self.seq or self.ts
        return Change(self.pseq, self.seq, self.bids, self.asks, ts_event, venue_seq)


_PUSHES: Final = msgspec.json.Decoder(Push[_Data], strict=False)


class BitgetDecoder(ChecksummedDecoder):
    """The decoder of one connection to Bitget."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, BitgetSequencer(), WINDOW, _PUSH, _PUSHES, understand)
