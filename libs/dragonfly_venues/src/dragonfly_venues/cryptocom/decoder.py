"""Frames of Crypto.com: a snapshot of a book, then changes that name what they follow.

    {"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"BTC_USD","subscription":
     "book.BTC_USD.50","channel":"book.update","depth":50,"data":[{"update":{"asks":[["2750.20","0",
     "0"]],"bids":[]},"t":1790114273659,"tt":1790114273655,"u":375554807336512,"pu":375554807297984,
     "cs":1522984915}]}}

A level is price, amount and the count of its orders. What `cs` is the checksum of nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.cryptocom.control import DEPTHS, Answer, say
from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Links, Seed
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import NS_PER_MS, Amount, Price, Seq, Symbol, TimeMs
from dragonfly_venues.events import Event, FrameError, WholeBook
from dragonfly_venues.venue import offered

__all__ = ["CryptocomDecoder", "CryptocomSequencer"]


_Levels = tuple[tuple[Price, Amount, str], ...]


class CryptocomSequencer(Links):
    """Crypto.com's rules. Source: exchange-docs.crypto.com, "book.{instrument_name}.{depth}".

    1. A snapshot's `u` is the book's number.
    2. A change's `pu` must be the book's number, which then becomes its `u`. Numbers jump: only the
       link counts.
    3. Where nothing changed for about 5 s, an empty change comes whose two numbers are equal.
    4. Any other `pu` is a gap: the channel is subscribed anew.
    """


class _Sides(msgspec.Struct):
    asks: _Levels = ()
    bids: _Levels = ()


class _Data(_Sides, kw_only=True):
    """Of a snapshot the sides are its own, of a change they are in `update`."""

    u: Seq
    t: TimeMs
    """When it was sent; the time of the change grows old while a book rests."""
    pu: Seq | None = None
    update: _Sides | None = None


class _Result(msgspec.Struct):
    instrument_name: Symbol
    channel: str
    data: tuple[_Data]


class _Frame(Answer):
    result: _Result | None = None


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)


class CryptocomDecoder(DeltaDecoder):
    """The decoder of one connection to Crypto.com."""

    def __init__(self, depth: int) -> None:
        window = offered(depth, DEPTHS)
        super().__init__(depth, CryptocomSequencer(), window=window)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        told = read(_FRAME, frame)
        result = told.result
        if result is None:
            return say(told)
        symbol, data = result.instrument_name, result.data[0]
        ts_event = data.t * NS_PER_MS
        if result.channel == "book.update" and data.update is not None and data.pu is not None:
            bids, asks = _levels(data.update.bids), _levels(data.update.asks)
            return self.change(symbol, Change(data.pu, data.u, bids, asks, ts_event))
        if result.channel == "book":
            seed = Seed(data.u, _levels(data.bids), _levels(data.asks))
            return self.snapshot(symbol, seed, ts_event)
        raise FrameError("unknown_channel", result.channel[:60])


def _levels(levels: _Levels) -> Side:
    return tuple([(price, amount) for price, amount, _ in levels])
