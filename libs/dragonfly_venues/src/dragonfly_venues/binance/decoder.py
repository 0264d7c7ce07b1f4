"""Frames of Binance: a whole top of book each, wrapped with the name of its stream.

    {"stream":"ethbtc@depth20@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[…]}}

There is no time in it. `lastUpdateId` rises with every change of the whole book. Best prices come
at each change of them, counted alike; a missing side is of price and amount 0:

    {"stream":"ethbtc@bookTicker","data":{"u":160,"s":"ETHBTC","b":"0.0024","B":"10","a":"0.0026","A":"9"}}

Changes of the whole book, of all ids from `U` to `u`, for books deeper than 20 levels:

    {"stream":"ethbtc@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"ETHBTC","U":157,
     "u":160,"b":[["0.0024","10"]],"a":[["0.0026","0.00000000"]]}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.binance.control import (
    BBO_SUFFIX,
    CHANGES_SUFFIX,
    STREAM_SUFFIX,
    understand,
)
from dragonfly_venues.binance.seed import SEED_LEVELS
from dragonfly_venues.decoding.best_prices import BestPrices
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Ranges
from dragonfly_venues.decoding.frames import read, symbol_of
from dragonfly_venues.decoding.shapes import NS_PER_MS, Changes, Seq, TimeMs
from dragonfly_venues.decoding.whole_tops import Layout, WholeTopDecoder
from dragonfly_venues.events import Event, WholeBook

__all__ = ["BinanceChangesDecoder", "BinanceDecoder", "BinanceSequencer"]

_LAYOUT: Final = Layout(seq=b'"lastUpdateId":', seq_end=b",", channel=b'"stream":"')
_BBO: Final = f'{BBO_SUFFIX}"'.encode()
_CHANGES: Final = f'{CHANGES_SUFFIX}"'.encode()
_LOOK_BYTES: Final = 128
"""Where the name of the stream ends at the latest."""

_Stream = Annotated[str, msgspec.Meta(max_length=64)]


class _Book(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 -- the venue's spelling
    bids: Side
    asks: Side


class _Frame(msgspec.Struct):
    stream: str
    data: _Book


class _BestFrame(msgspec.Struct):
    stream: _Stream
    data: BestPrices


class _Changes(msgspec.Struct):
    E: TimeMs
    U: Seq
    u: Seq
    b: Changes
    a: Changes


class _ChangesFrame(msgspec.Struct):
    stream: _Stream
    data: _Changes


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)
_BEST_FRAME: Final = msgspec.json.Decoder(_BestFrame)
_CHANGES_FRAME: Final = msgspec.json.Decoder(_ChangesFrame, strict=False)


class BinanceDecoder(WholeTopDecoder):
    """The decoder of one connection to Binance."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, _LAYOUT, _other, suffix=STREAM_SUFFIX)

    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return what a book holds; see `WholeTopDecoder`."""
        message = read(_FRAME, frame)
        book = message.data
        return message.stream, book.lastUpdateId, book.bids, book.asks


class BinanceSequencer(Ranges):
    """Binance's rules. Source: web-socket-streams.md, "How to manage a local order book correctly".

    1. Events are buffered from the subscription on; `U` of the first is remembered.
    2. REST gives a whole book and its `lastUpdateId`; one below that `U` is fetched again.
    3. Events whose `u` is not above it are dropped.
    4. The first that is applied has `U` <= lastUpdateId + 1 <= `u`; usually it begins before.
    5. Each further `U` is one above the last `u`; a higher one is a gap.
    """


class BinanceChangesDecoder(DeltaDecoder):
    """The decoder of one connection to Binance that carries changes of whole books."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, BinanceSequencer(), seeded=True, seed_levels=SEED_LEVELS)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if frame.find(_CHANGES, 0, _LOOK_BYTES) < 0:
            return _other(frame)
        message = read(_CHANGES_FRAME, frame)
        data = message.data
        change = Change(data.U, data.u, data.b, data.a, data.E * NS_PER_MS)
        return self.change(symbol_of(message.stream, suffix=CHANGES_SUFFIX), change)


def _other(frame: bytes) -> Sequence[Event]:
    if _BBO not in frame:
        return understand(frame)
    best = read(_BEST_FRAME, frame)
    return (best.data.bbo(symbol_of(best.stream, suffix=BBO_SUFFIX)),)
