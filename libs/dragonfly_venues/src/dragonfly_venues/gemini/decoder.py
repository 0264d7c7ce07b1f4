"""Frames of Gemini: a whole top of book each, repeated also where nothing changes.

    {"lastUpdateId":160,"symbol":"btcusd","bids":[["9.00","1.50000000"]],"asks":[["10.00","2"]]}

Best prices come at each change of them, counted alike; a missing side has empty texts:

    {"u":160,"E":1783981139947514400,"s":"btcusd","b":"9.00","B":"1","a":"","A":"","c":"9","C":"1"}

Changes of the whole book, for books deeper than 20 levels, in no order; `E` is in nanoseconds. The
first message of a subscription is the whole book, of which `U` and `u` are the same:

    {"e":"depthUpdate","E":1783981139947514400,"s":"btcusd","U":157,"u":160,"b":[["9.00","0"]],"a":[]}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.best_prices import BestPrices
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Links, Place, Seed
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import Changes, Seq, Symbol
from dragonfly_venues.decoding.whole_tops import Layout, WholeTopDecoder
from dragonfly_venues.events import Event, WholeBook
from dragonfly_venues.gemini.control import understand

__all__ = ["GeminiChangesDecoder", "GeminiDecoder", "GeminiSequencer"]

_LAYOUT: Final = Layout(seq=b'"lastUpdateId":', seq_end=b",", channel=b'"symbol":"')
_BEST: Final = b'"B":"'
_CHANGES: Final = b'"e":"depthUpdate"'


class _Book(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 -- the venue's spelling
    symbol: str
    bids: Side
    asks: Side


class _Best(BestPrices):
    E: Seq
    s: Symbol


class _Changes(msgspec.Struct):
    E: Seq
    s: Symbol
    U: Seq
    u: Seq
    b: Changes
    a: Changes


_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)
_BESTS: Final = msgspec.json.Decoder(_Best)
_CHANGES_FRAME: Final = msgspec.json.Decoder(_Changes, strict=False)


class GeminiDecoder(WholeTopDecoder):
    """The decoder of one connection to Gemini."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, _LAYOUT, _other)

    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return what a book holds; see `WholeTopDecoder`."""
        book = read(_BOOK, frame)
        return book.symbol, book.lastUpdateId, book.bids, book.asks


class GeminiSequencer(Links):
    """Gemini's rules. Source: docs.gemini.com, WebSocket API, "Differential depth".

    1. The first message of a subscription is the whole book, where the connection asked for it;
       its `U` is its `u`. It comes anew with each subscription.
    2. Each further `U` is the last `u`, not one above it. Numbers are of the whole venue, so that
       most are of other books.
    3. A message whose `u` is not above the last is old, and changes nothing.
    4. A `U` above the last `u` is a gap: the stream is unsubscribed and subscribed anew.
    """

    def place(self, seq: int, change: Change) -> Place:
        """Return where the change stands; it may begin before the last number."""
        return self.joins(seq, change)


class GeminiChangesDecoder(DeltaDecoder):
    """The decoder of one connection to Gemini that carries changes of whole books."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, GeminiSequencer())

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if _CHANGES not in frame:
            return _other(frame)
        data = read(_CHANGES_FRAME, frame)
        if data.U == data.u > self.seq(data.s):
            return self.snapshot(data.s, Seed(data.u, data.b, data.a), data.E)
        return self.change(data.s, Change(data.U, data.u, data.b, data.a, data.E))


def _other(frame: bytes) -> Sequence[Event]:
    if _BEST not in frame:
        return understand(frame)
    best = read(_BESTS, frame)
    return (best.bbo(best.s, best.E),)
