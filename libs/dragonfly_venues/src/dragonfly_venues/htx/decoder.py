"""Frames of HTX, once unpacked: whole tops of 20 levels, as a rule.

    {"ch":"market.btcusdt.mbp.refresh.20","ts":1573199608679,"tick":{"seqNum":100020142010,
     "bids":[[618.37,71.594]],"asks":[[618.39,0.8]]}}

For deeper books, changes of 150 levels; an amount of 0 removes, and a side may be missing:

    {"ch":"market.btcusdt.mbp.150","ts":1573199608679,"tick":{"seqNum":100020146795,
     "prevSeqNum":100020146794,"bids":[],"asks":[[645.14,26.75]]}}

They go on from a book that is asked for (`control.ask_book`):

    {"id":"7 btcusdt","rep":"market.btcusdt.mbp.150","status":"ok","data":{"seqNum":100020142010,
     "bids":[[618.37,71.594]],"asks":[[618.39,0.8]]}}

Numbers are printed as Java does: 9.121E-7, 1.3640078E7, 0.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Links, Place
from dragonfly_venues.decoding.frames import read, symbol_of
from dragonfly_venues.decoding.seeds import best_of
from dragonfly_venues.decoding.shapes import NS_PER_MS, Changes, Seq, TimeMs
from dragonfly_venues.decoding.whole_tops import Layout, WholeTopDecoder
from dragonfly_venues.events import Event, WholeBook
from dragonfly_venues.htx.control import (
    CHANGES_SUFFIX,
    PREFIX,
    TOP_SUFFIX,
    WINDOW,
    understand,
)

__all__ = ["HtxChangesDecoder", "HtxDecoder", "HtxSequencer"]

_LAYOUT: Final = Layout(seq=b'"seqNum":', seq_end=b",", channel=b'"ch":"')
_PUSH: Final = f'{{"ch":"{PREFIX}'.encode()
_ANSWER: Final = b'"rep":"'
_LOOK_BYTES: Final = 128
"""Where an answer names its topic at the latest."""


class _Top(msgspec.Struct, rename="camel"):
    seq_num: int
    bids: Side
    asks: Side


class _TopFrame(msgspec.Struct):
    ch: str
    tick: _Top


class _Changes(msgspec.Struct, rename="camel"):
    seq_num: Seq
    prev_seq_num: Seq
    bids: Changes = ()
    asks: Changes = ()


class _ChangesFrame(msgspec.Struct):
    ch: str
    ts: TimeMs
    tick: _Changes


class _Answer(msgspec.Struct):
    rep: str
    data: _Top


_TOP_FRAME: Final = msgspec.json.Decoder(_TopFrame)
_CHANGES_FRAME: Final = msgspec.json.Decoder(_ChangesFrame)
_ANSWER_FRAME: Final = msgspec.json.Decoder(_Answer)


class HtxDecoder(WholeTopDecoder):
    """The decoder of one connection to HTX."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, _LAYOUT, understand, prefix=PREFIX, suffix=TOP_SUFFIX)

    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return what a book holds; see `WholeTopDecoder`."""
        message = read(_TOP_FRAME, frame)
        return message.ch, message.tick.seq_num, message.tick.bids, message.tick.asks


class HtxSequencer(Links):
    """HTX's rules. Source: HTX spot API, "Market by price (incremental update)".

    1. Changes are kept from the subscription on; no book comes by itself.
    2. A request on the same connection, a second later, gives a book and its `seqNum`: sooner it
       lags behind every change that was kept.
    3. Changes whose `seqNum` is not above it are dropped.
    4. The first that is applied has that `seqNum` for its `prevSeqNum`, or the book is asked for
       again. A smaller one is allowed, and was never seen: whether such a change names the levels
       that came and went within it is not documented.
    5. Each further `prevSeqNum` is the last `seqNum`; anything else is a gap. Numbers are not
       consecutive. A change without levels counts.
    """

    def joins(self, seq: int, change: Change) -> Place:
        """Return NEXT where the change follows `seq`, OLD where it ends by `seq`."""
        return Place.OLD if change.last <= seq else self.place(seq, change)


class HtxChangesDecoder(DeltaDecoder):
    """The decoder of one connection to HTX that carries changes of 150 levels."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, HtxSequencer(), seeded=True, window=WINDOW)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if frame.startswith(_PUSH):
            message = read(_CHANGES_FRAME, frame)
            tick, ts_event = message.tick, message.ts * NS_PER_MS
            change = Change(tick.prev_seq_num, tick.seq_num, tick.bids, tick.asks, ts_event)
            return self.change(symbol_of(message.ch, prefix=PREFIX, suffix=CHANGES_SUFFIX), change)
        if frame.find(_ANSWER, 0, _LOOK_BYTES) < 0:
            return understand(frame)
        answer = read(_ANSWER_FRAME, frame)
        book, symbol = answer.data, symbol_of(answer.rep, prefix=PREFIX, suffix=CHANGES_SUFFIX)
        return self.seed(best_of(symbol, WINDOW, book.seq_num, book.bids, book.asks))
