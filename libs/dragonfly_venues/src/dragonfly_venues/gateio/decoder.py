"""Frames of Gate.io: a whole book of a stream, then the changes of its best levels.

    {"channel":"spot.obu","event":"update","time_ms":1747054612700,"result":{"t":1747054612673,
     "full":true,"s":"ob.BTC_USDT.50","u":73777715168,"b":[["9","1"]],"a":[["10","2"]]}}
    {"channel":"spot.obu","event":"update","time_ms":1747054612720,"result":{"t":1747054612695,
     "s":"ob.BTC_USDT.50","U":73777715169,"u":73777715170,"b":[["9","0"]]}}

Levels are in no order, and a side without changes may be missing. Best prices are counted by the
same numbers; a missing side has empty texts:

    {"channel":"spot.book_ticker","event":"update","time_ms":1747054612700,"result":{"t":1747054612673,
     "u":73777715168,"s":"BTC_USDT","b":"9","B":"1","a":"10","A":"2"}}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.best_prices import BestPrices
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Ranges, Seed
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import NS_PER_MS, Changes, Seq, Symbol, TimeMs
from dragonfly_venues.events import Bbo, Event, FrameError, WholeBook
from dragonfly_venues.gateio.control import STREAM_PREFIX, WINDOWS, understand
from dragonfly_venues.venue import offered

__all__ = ["GateioDecoder", "GateioSequencer"]

_STREAM: Final = f'"s":"{STREAM_PREFIX}'.encode()
"""The mark of a book: answers name streams as well, elsewhere."""
_BEST: Final = b'"B":"'


class GateioSequencer(Ranges):
    """Gate.io's rules. Source: gate.com, "Spot WebSocket v4", "Order Book V2 API".

    1. The first message of a subscription has `full`: it is the whole book, and `u` its number.
    2. Each further message covers the numbers `U` to `u`, and `U` is one above the last `u`.
    3. A higher `U` is a gap: the stream is unsubscribed and subscribed anew.
    4. A message whose `u` is not above the last is old, and changes nothing.
    5. A message with `full` may come at any time, and replaces the book.
    """


class _Result(msgspec.Struct):
    t: TimeMs
    s: Symbol
    u: Seq
    U: Seq | None = None
    full: bool = False
    b: Changes = ()
    a: Changes = ()


class _Best(BestPrices):
    t: TimeMs
    s: Symbol


class _BestPush(msgspec.Struct):
    result: _Best


class _Push(msgspec.Struct):
    result: _Result


_PUSHES: Final = msgspec.json.Decoder(_Push, strict=False)
_BEST_PUSHES: Final = msgspec.json.Decoder(_BestPush)


class GateioDecoder(DeltaDecoder):
    """The decoder of one connection to Gate.io."""

    def __init__(self, depth: int) -> None:
        levels = offered(depth, WINDOWS)
        super().__init__(depth, GateioSequencer(), window=levels)
        self._suffix = f".{levels}"

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if _STREAM not in frame:
            return (_best(frame),) if _BEST in frame else understand(frame)
        result = read(_PUSHES, frame).result
        symbol = result.s.removeprefix(STREAM_PREFIX).removesuffix(self._suffix)
        if not symbol or len(symbol) + len(STREAM_PREFIX + self._suffix) != len(result.s):
            raise FrameError("unknown_channel", result.s)
        ts_event = result.t * NS_PER_MS
        if result.full:
            return self.snapshot(symbol, Seed(result.u, result.b, result.a), ts_event)
        if result.U is None:
            raise FrameError("bad_shape", "changes whose first number is missing", symbol)
        return self.change(symbol, Change(result.U, result.u, result.b, result.a, ts_event))


def _best(frame: bytes) -> Bbo:
    best = read(_BEST_PUSHES, frame).result
    return best.bbo(best.s, best.t * NS_PER_MS)
