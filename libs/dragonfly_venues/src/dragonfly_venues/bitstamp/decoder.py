"""Frames of Bitstamp: a whole top of book each.

    {"data":{"timestamp":"1643673600","microtimestamp":"1643673600123456","bids":[["38500.00","0.12"]],
     "asks":[…]},"channel":"order_book_btcusd","event":"data"}

`microtimestamp` strictly rises within a channel, so it is both the time and the sequence.
"""

from __future__ import annotations

from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.bitstamp.control import CHANNEL_PREFIX, understand
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.whole_tops import Layout, WholeTopDecoder
from dragonfly_venues.events import FrameError

__all__ = ["BitstampDecoder"]

_LAYOUT: Final = Layout(
    seq=b'"microtimestamp":"',
    seq_end=b'"',
    channel=b'"channel":"',
    channel_last=True,  # behind 5 kB of levels
    certain=b'"event":"data"',
    ns_per_seq=1000,
)


class _Book(msgspec.Struct):
    microtimestamp: int
    bids: Side
    asks: Side


class _Frame(msgspec.Struct):
    event: str
    channel: str
    data: _Book


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)


class BitstampDecoder(WholeTopDecoder):
    """The decoder of one connection to Bitstamp."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, _LAYOUT, understand, prefix=CHANNEL_PREFIX)

    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return what a book holds; see `WholeTopDecoder`."""
        message = read(_FRAME, frame)
        if message.event != "data":
            raise FrameError("unknown_channel", message.event[:60])
        book = message.data
        return message.channel, book.microtimestamp, book.bids, book.asks
