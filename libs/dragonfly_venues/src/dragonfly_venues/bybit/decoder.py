"""Frames of Bybit: a snapshot of a book, then changes, each numbered one above the last.

    {"topic":"orderbook.50.BTCUSDT","ts":1672304484978,"type":"delta","data":{"s":"BTCUSDT","b":[[
     "16493.50","0.006"]],"a":[],"u":18521289,"seq":7961638725},"cts":1672304484976}

`u` counts the messages of one topic. `seq` is the matching engine's, which all topics and REST
share, and is what the book is published by. Best prices are snapshots of the topic of one level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from dragonfly_venues.bybit.control import BEST, TOPIC, TOPICS, understand
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Ranges, Seed
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import NS_PER_MS, Changes, Seq, Symbol, TimeMs
from dragonfly_venues.events import Bbo, Event, WholeBook
from dragonfly_venues.venue import offered

__all__ = ["BybitDecoder", "BybitSequencer"]

RESTARTED: Final = 1
"""The number of the snapshot that follows a restart of the service."""

_PUSH: Final = f'{{"topic":"{TOPIC}.'.encode()
_BEST: Final = f'{{"topic":"{TOPIC}.{BEST}.'.encode()


class BybitSequencer(Ranges):
    """Bybit's rules. Source: bybit-exchange/docs, v5/websocket/public/orderbook.mdx (2026-07).

    1. A snapshot replaces the book, whenever it comes.
    2. One of `u` 1 follows a restart of the service, whatever its `seq`; any other whose `seq` is
       below the book's is older, and says nothing.
    3. Without a change the topic of one level repeats its snapshot every 3 s, `u` as before.
    4. A delta's `u` is one above the book's. So it is in all recordings, but the docs promise it
       only of whole books; anything higher is a gap, and the topic is subscribed anew.
    5. A delta whose `u` is not above the book's is a repetition.
    6. A delta before the first snapshot says nothing.
    """


class _Data(msgspec.Struct):
    s: Symbol
    b: Changes
    a: Changes
    u: Seq
    seq: Seq


class _Push(msgspec.Struct):
    type: Literal["snapshot", "delta"]
    ts: TimeMs
    data: _Data
    cts: TimeMs | None = None
    """The matching engine's; `ts` is of sending."""


_PUSHES: Final = msgspec.json.Decoder(_Push, strict=False)


class BybitDecoder(DeltaDecoder):
    """The decoder of one connection to Bybit."""

    def __init__(self, depth: int) -> None:
        window = offered(depth, TOPICS)
        self._is_deeper = window > BEST
        super().__init__(depth, BybitSequencer(), window=window)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if not frame.startswith(_PUSH):
            return understand(frame)
        push = read(_PUSHES, frame)
        data = push.data
        best = self._is_deeper and frame.startswith(_BEST)
        ts_event = (push.ts if push.cts is None else push.cts) * NS_PER_MS
        if best:
            bid, ask = (side[0] if side else None for side in (data.b, data.a))
            return (Bbo(data.s, data.seq, bid, ask, ts_event),)
        if push.type == "delta":
            change = Change(data.u, data.u, data.b, data.a, ts_event, data.seq)
            return self.change(data.s, change)
        if data.u != RESTARTED and data.seq < self.seq(data.s):
            # Nothing in it is new; where that goes on, the venue counts anew.
            return self.change(data.s, Change(0, data.u, (), ()))
        return self.snapshot(data.s, Seed(data.u, data.b, data.a, venue_seq=data.seq), ts_event)
