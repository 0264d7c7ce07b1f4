"""Frames of Deribit: whole tops of 20 levels, as a rule.

    {"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC_USDC.none.20.100ms",
     "data":{"timestamp":1626993723632,"instrument_name":"BTC_USDC","change_id":13169025645,
     "bids":[[61250.5,0.1]],"asks":[[61251.0,2.2e3]]}}}

For deeper books a snapshot of all levels, then changes, each naming the one that it follows:

    {…,"params":{"channel":"book.BTC_USDC.100ms","data":{"type":"change","timestamp":1626993724318,
     "prev_change_id":13169025645,"instrument_name":"BTC_USDC","change_id":13169025802,
     "bids":[["change",61250.5,0.2],["delete",61249.0,0.0]],"asks":[["new",61250.9,0.1]]}}}

An action says no more than its amount: 0 removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Links, Seed
from dragonfly_venues.decoding.frames import read, symbol_of
from dragonfly_venues.decoding.shapes import NS_PER_MS, Amount, Price, Seq, TimeMs
from dragonfly_venues.decoding.whole_tops import Layout, WholeTopDecoder
from dragonfly_venues.deribit.control import (
    CHANGES_SUFFIX,
    PREFIX,
    TOP_SUFFIX,
    understand,
)
from dragonfly_venues.events import Event, FrameError, WholeBook

__all__ = ["DeribitChangesDecoder", "DeribitDecoder", "DeribitSequencer"]

_LAYOUT: Final = Layout(seq=b'"change_id":', seq_end=b",", channel=b'"channel":"')
_PUSH: Final = f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{PREFIX}'.encode()

_Levels = tuple[tuple[Literal["new", "change", "delete"], Price, Amount], ...]


class _Top(msgspec.Struct):
    change_id: int
    bids: Side
    asks: Side


class _TopParams(msgspec.Struct):
    channel: str
    data: _Top


class _TopFrame(msgspec.Struct):
    params: _TopParams


class _Book(msgspec.Struct):
    type: Literal["snapshot", "change"]
    timestamp: TimeMs
    change_id: Seq
    bids: _Levels
    asks: _Levels
    prev_change_id: Seq | None = None


class _BookParams(msgspec.Struct):
    channel: str
    data: _Book


class _BookFrame(msgspec.Struct):
    params: _BookParams


_TOP_FRAME: Final = msgspec.json.Decoder(_TopFrame)
_BOOK_FRAME: Final = msgspec.json.Decoder(_BookFrame)


class DeribitDecoder(WholeTopDecoder):
    """The decoder of one connection to Deribit."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, _LAYOUT, understand, prefix=PREFIX, suffix=TOP_SUFFIX)

    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return what a book holds; see `WholeTopDecoder`."""
        params = read(_TOP_FRAME, frame).params
        return params.channel, params.data.change_id, params.data.bids, params.data.asks


class DeribitSequencer(Links):
    """Deribit's rules. Source: docs.deribit.com, "book.{instrument_name}.{interval}".

    1. The first message of a subscription is a snapshot; its `change_id` is the book's number.
    2. A change's `prev_change_id` must be the book's number, which then becomes its `change_id`.
       Numbers are shared by many instruments, and not consecutive: only the link counts.
    3. Any other `prev_change_id` is a gap: the channel is left and subscribed anew. Subscribed
       again without being left it sends no snapshot.
    """


class DeribitChangesDecoder(DeltaDecoder):
    """The decoder of one connection to Deribit that carries whole books and their changes."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, DeribitSequencer())

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if not frame.startswith(_PUSH):
            return understand(frame)
        params = read(_BOOK_FRAME, frame).params
        symbol, data = symbol_of(params.channel, prefix=PREFIX, suffix=CHANGES_SUFFIX), params.data
        ts_event = data.timestamp * NS_PER_MS
        bids, asks = _levels(data.bids), _levels(data.asks)
        if data.type == "snapshot":
            return self.snapshot(symbol, Seed(data.change_id, bids, asks), ts_event)
        if data.prev_change_id is None:
            raise FrameError("bad_shape", "a change that names no other", symbol)
        change = Change(data.prev_change_id, data.change_id, bids, asks, ts_event)
        return self.change(symbol, change)


def _levels(levels: _Levels) -> Side:
    return tuple([(price, amount) for _, price, amount in levels])
