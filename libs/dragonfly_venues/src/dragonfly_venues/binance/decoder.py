"""What Binance's frames mean: a whole top of book each, wrapped with the name of its stream.

    {"stream":"ethbtc@depth20@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[…]}}

There is no time in it. `lastUpdateId` rises with every change of the whole book. Best prices come
at each change of them, counted alike; a missing side is of price and amount 0:

    {"stream":"ethbtc@bookTicker","data":{"u":160,"s":"ETHBTC","b":"0.0024","B":"10","a":"0.0026","A":"9"}}
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Annotated, Final

import msgspec
from dragonfly_common.types import Level, Side

from dragonfly_venues.binance.control import BBO_SUFFIX, STREAM_SUFFIX, understand
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.whole_tops import MAX_SEQ, TopFilters, UnfamiliarText
from dragonfly_venues.events import Bbo, Event, FrameError, Top, WholeBook

__all__ = ["BinanceDecoder"]

_STREAM: Final = b'"stream":"'
_SEQ: Final = b'"lastUpdateId":'
_BIDS: Final = b'"bids":['
_ASKS: Final = b'"asks":['
_BBO: Final = f'{BBO_SUFFIX}"'.encode()
_MAX_DIGITS: Final = 18


class _Book(msgspec.Struct):
    lastUpdateId: int  # noqa: N815 -- the venue's spelling
    bids: Side
    asks: Side


class _Frame(msgspec.Struct):
    stream: str
    data: _Book


class _Best(msgspec.Struct):
    u: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
    b: float
    B: float
    a: float
    A: float


class _BestFrame(msgspec.Struct):
    stream: Annotated[str, msgspec.Meta(max_length=64)]
    data: _Best


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)
_BEST_FRAME: Final = msgspec.json.Decoder(_BestFrame, strict=False)


class BinanceDecoder:
    """The decoder of one connection to Binance."""

    def __init__(self, depth: int) -> None:
        self._filters = TopFilters(depth, suffix=STREAM_SUFFIX)

    def feed(self, frame: bytes, book: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        try:
            if book is None:
                seq_at = frame.find(_SEQ)
                if seq_at < 0:
                    return self._other(frame)
                seq, stream, bids_at, asks_at = _places(frame, seq_at)
            else:
                seq, stream, bids_at, asks_at = book.seq, book.channel, book.bids_at, book.asks_at
            return self._filters.of(stream).compare(frame, bids_at, asks_at, seq, None)
        except UnfamiliarText:
            return self._in_full(frame)

    def whole_book(self, frame: bytes) -> WholeBook | None:
        """Return which book `frame` holds; see `Decoder`."""
        try:
            places = _places(frame, frame.find(_SEQ))
        except UnfamiliarText:
            return None
        symbol = self._filters.booked(places[1])
        return WholeBook(symbol, *places) if symbol else None

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`."""
        self._filters.forget(symbol)

    def seq(self, symbol: str) -> int:
        """Return the sequence of the last frame of `symbol`; see `Decoder`."""
        return self._filters.seq(symbol)

    def seed(self, book: Top) -> Sequence[Event]:
        """Return what comes of a book that REST gave; see `Decoder`."""
        return self._filters.seed(book)

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` stands as REST gave it."""
        return self._filters.seeded(symbol)

    def _other(self, frame: bytes) -> Sequence[Event]:
        if b'"lastUpdateId"' in frame:
            return self._in_full(frame)
        return (_best(frame),) if _BBO in frame else understand(frame)

    def _in_full(self, frame: bytes) -> Sequence[Event]:
        message = read(_FRAME, frame)
        book = message.data
        known = self._filters.of(message.stream.encode())
        return known.whole(book.bids, book.asks, book.lastUpdateId, None)


def _places(frame: bytes, seq_at: int) -> tuple[int, bytes, int, int]:
    """Return (sequence, stream, where bids begin, where asks do); `seq_at` is where _SEQ was found.

    Raises:
        UnfamiliarText: the text is not laid out as the venue does.
    """
    stream_at = frame.find(_STREAM)
    bids_at = frame.find(_BIDS)
    asks_at = frame.find(_ASKS)
    number_at = seq_at + len(_SEQ)
    seq = frame[number_at : frame.find(b",", number_at)]
    if (
        seq_at < 0
        or stream_at < 0
        or bids_at < 0
        or asks_at < 0
        or not seq.isdigit()
        or len(seq) > _MAX_DIGITS
        or b"\\" in frame
        or not frame.endswith(b"}")
    ):
        raise UnfamiliarText
    stream_at += len(_STREAM)
    stream = frame[stream_at : frame.find(b'"', stream_at)]
    return int(seq), stream, bids_at + len(_BIDS), asks_at + len(_ASKS)


def _best(frame: bytes) -> Bbo:
    message = read(_BEST_FRAME, frame)
    symbol, _, channel = message.stream.partition("@")
    if f"@{channel}" != BBO_SUFFIX:
        raise FrameError("unknown_channel", message.stream)
    best = message.data
    return Bbo(symbol, best.u, _level(best.b, best.B), _level(best.a, best.A))


def _level(price: float, amount: float) -> Level | None:
    if not (0.0 <= price < inf and 0.0 <= amount < inf):
        raise FrameError("bad_level", f"{price} {amount}")
    return (price, amount) if price and amount else None
