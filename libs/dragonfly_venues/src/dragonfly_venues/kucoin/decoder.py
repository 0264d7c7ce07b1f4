"""Frames of KuCoin: changes of a book whose beginning REST gives.

    {"type":"message","topic":"/market/level2:BTC-USDT","subject":"trade.l2update","data":{
     "sequenceStart":105,"sequenceEnd":106,"changes":{"asks":[["6","1","105"]],"bids":[["4","1",
     "106"]]},"symbol":"BTC-USDT","time":1663747970273}}

A change is price, amount and its own number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.delta_books import Change, DeltaDecoder, Ranges
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import NS_PER_MS, Amount, Seq, Symbol, TimeMs
from dragonfly_venues.events import Event, WholeBook
from dragonfly_venues.kucoin.control import TOPIC, understand
from dragonfly_venues.kucoin.seed import LEVELS

__all__ = ["KucoinDecoder", "KucoinSequencer"]

_PUSH: Final = f'"topic":"{TOPIC}'.encode()
"""First in a frame or last: KuCoin has sent both."""

_Price = Annotated[float, msgspec.Meta(ge=0.0)]
_Levels = tuple[tuple[_Price, Amount, str], ...]


class KucoinSequencer(Ranges):
    """KuCoin's rules. Source: docs.kucoin.com, "Level-2 Market Data", "Calibration procedure".

    1. Messages are buffered from the subscription on.
    2. REST gives a whole book and its `sequence`.
    3. Messages whose `sequenceEnd` is not above it are dropped.
    4. The first that is applied has `sequenceStart` <= sequence + 1 <= `sequenceEnd`. Those of its
       changes that the book has already say what it says, or what a later one of them replaces.
    5. Each further `sequenceStart` is one above the last `sequenceEnd`; anything else is a gap.
    6. A change of price 0 is an event without a level: it counts, and changes nothing.
    """


class _Changes(msgspec.Struct):
    asks: _Levels = ()
    bids: _Levels = ()


class _Data(msgspec.Struct, rename="camel"):
    symbol: Symbol
    sequence_start: Seq
    sequence_end: Seq
    changes: _Changes
    time: TimeMs | None = None


class _Push(msgspec.Struct):
    data: _Data


_PUSHES: Final = msgspec.json.Decoder(_Push, strict=False)


class KucoinDecoder(DeltaDecoder):
    """The decoder of one connection to KuCoin."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth, KucoinSequencer(), seeded=True, seed_levels=LEVELS)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if _PUSH not in frame:
            return understand(frame)
        data = read(_PUSHES, frame).data
        ts_event = None if data.time is None else data.time * NS_PER_MS
        bids, asks = _levels(data.changes.bids), _levels(data.changes.asks)
        change = Change(data.sequence_start, data.sequence_end, bids, asks, ts_event)
        return self.change(data.symbol, change)


def _levels(levels: _Levels) -> Side:
    return tuple([(price, amount) for price, amount, _ in levels if price])
