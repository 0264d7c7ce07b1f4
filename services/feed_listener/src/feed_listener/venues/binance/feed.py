"""What Binance's frames mean: a whole top of book each, wrapped with the name of its stream.

    {"stream":"ethbtc@depth20@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[…]}}

There is no time in it. `lastUpdateId` rises with every change of the whole book.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from dragonfly_common.types import Side

from feed_listener.frames import read
from feed_listener.levels import TopFilters, UnfamiliarText
from feed_listener.venue import Event
from feed_listener.venues.binance.control import STREAM_SUFFIX, understand

__all__ = ["BinanceDecoder"]

_STREAM: Final = b'"stream":"'
_SEQ: Final = b'"lastUpdateId":'
_BIDS: Final = b'"bids":['
_ASKS: Final = b'"asks":['
_MAX_DIGITS: Final = 18


class _Book(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 -- the venue's spelling
    bids: Side
    asks: Side


class _Frame(msgspec.Struct):
    stream: str
    data: _Book


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)


class BinanceDecoder:
    """The decoder of one connection to Binance."""

    def __init__(self, depth: int) -> None:
        self._filters = TopFilters(depth, suffix=STREAM_SUFFIX)

    def feed(self, frame: bytes) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        seq_at = frame.find(_SEQ)
        if seq_at < 0:
            return understand(frame) if b'"lastUpdateId"' not in frame else self._in_full(frame)
        try:
            return self._by_bytes(frame, seq_at + len(_SEQ))
        except UnfamiliarText:
            return self._in_full(frame)

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`."""
        self._filters.forget(symbol)

    def _by_bytes(self, frame: bytes, seq_at: int) -> Sequence[Event]:
        stream_at = frame.find(_STREAM)
        bids_at = frame.find(_BIDS)
        asks_at = frame.find(_ASKS)
        seq = frame[seq_at : frame.find(b",", seq_at)]
        if (
            stream_at < 0
            or bids_at < 0
            or asks_at < 0
            or not seq.isdigit()
            or len(seq) > _MAX_DIGITS
            or b"\\" in frame
            or not frame.endswith(b"}")
        ):
            raise UnfamiliarText
        stream_at += len(_STREAM)
        known = self._filters.of(frame[stream_at : frame.find(b'"', stream_at)])
        return known.compare(frame, bids_at + len(_BIDS), asks_at + len(_ASKS), int(seq), None)

    def _in_full(self, frame: bytes) -> Sequence[Event]:
        message = read(_FRAME, frame)
        book = message.data
        known = self._filters.of(message.stream.encode())
        return known.whole(book.bids, book.asks, book.lastUpdateId, None)
