"""Frames of OKX: a snapshot of a book, then changes, each naming the one it follows.

    {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["8477","7",
     "0","2"]],"bids":[],"ts":"1597026383085","checksum":0,"prevSeqId":123456,"seqId":123457}]}

A level is price, amount, a number without meaning, and the count of its orders.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.checksums import ChecksummedDecoder, Push
from dragonfly_venues.decoding.delta_books import Change, Links
from dragonfly_venues.decoding.shapes import MAX_SEQ, NS_PER_MS, Amount, Price, Seq, TimeMs
from dragonfly_venues.okx.control import understand

__all__ = ["WINDOW", "OkxDecoder", "OkxSequencer"]

WINDOW: Final = 400
"""Levels a side that the channel keeps current."""

_PUSH: Final = b'{"arg":{"channel":"books"'

_Levels = tuple[tuple[Price, Amount, str, str], ...]


class OkxSequencer(Links):
    """OKX's rules. Source: okx.com/docs-v5, "Order book channel", "Sequence ID".

    1. A snapshot has `prevSeqId` -1; its `seqId` is the book's number.
    2. An update's `prevSeqId` must be the book's number, which then becomes its `seqId`. Numbers
       are not consecutive: only the link counts.
    3. Where nothing changed for about 60 s, an empty update comes whose two numbers are equal.
    4. After maintenance an update's `seqId` may be below its `prevSeqId`: the link still holds, and
       the book goes on with the smaller number.
    5. Any other `prevSeqId` is a gap: the channel is subscribed anew.
    6. A checksum is of the text of 25 levels (`decoding.checksums`), where there is one: it has
       been 0 since June 2026.
    """


class _Data(msgspec.Struct, rename="camel"):
    asks: _Levels
    bids: _Levels
    ts: TimeMs
    seq_id: Seq
    prev_seq_id: Annotated[int, msgspec.Meta(ge=-1, le=MAX_SEQ)]
    checksum: int = 0

    def change(self) -> Change:
        bids, asks = _levels(self.bids), _levels(self.asks)
        return Change(self.prev_seq_id, self.seq_id, bids, asks, self.ts * NS_PER_MS)


_PUSHES: Final = msgspec.json.Decoder(Push[_Data], strict=False)


class OkxDecoder(ChecksummedDecoder):
    """The decoder of one connection to OKX."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, OkxSequencer(), WINDOW, _PUSH, _PUSHES, understand)


def _levels(levels: _Levels) -> Side:
    return tuple([(price, amount) for price, amount, _, _ in levels])
