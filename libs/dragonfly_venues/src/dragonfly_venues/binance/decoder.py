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
from dragonfly_venues.decoding.whole_tops import MAX_SEQ, Layout, UnfamiliarText, WholeTopDecoder
from dragonfly_venues.events import Bbo, Event, FrameError

__all__ = ["BinanceDecoder"]

_LAYOUT: Final = Layout(seq=b'"lastUpdateId":', seq_end=b",", channel=b'"stream":"')
_BBO: Final = f'{BBO_SUFFIX}"'.encode()


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


class BinanceDecoder(WholeTopDecoder):
    """The decoder of one connection to Binance."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, _LAYOUT, suffix=STREAM_SUFFIX)

    def other(self, frame: bytes) -> Sequence[Event]:
        """Return best prices, or what the venue answers."""
        if b'"lastUpdateId"' in frame:
            raise UnfamiliarText
        return (_best(frame),) if _BBO in frame else understand(frame)

    def in_full(self, frame: bytes) -> tuple[str, int, Side, Side]:
        """Return what a book holds; see `WholeTopDecoder`."""
        message = read(_FRAME, frame)
        book = message.data
        return message.stream, book.lastUpdateId, book.bids, book.asks


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
