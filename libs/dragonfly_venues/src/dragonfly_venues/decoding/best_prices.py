"""Best prices as several venues print them: `u` the sequence, `b`, `B` the bid, `a`, `A` the ask.

    {"u":160,"s":"ETHBTC","b":"0.0024","B":"10","a":"0.0026","A":"9"}

A side that is empty is of price and amount 0, or of empty texts.
"""

from __future__ import annotations

from math import inf

import msgspec
from dragonfly_common.types import Level

from dragonfly_venues.decoding.shapes import Seq
from dragonfly_venues.events import Bbo, FrameError

__all__ = ["BestPrices"]


class BestPrices(msgspec.Struct):
    """The part of a frame that holds them."""

    u: Seq
    b: str
    B: str
    a: str
    A: str

    def bbo(self, symbol: str, ts_event: int | None = None) -> Bbo:
        """Return what they say of `symbol` at `ts_event`, ns UTC.

        Raises:
            FrameError: `bad_shape`, or `bad_level` of numbers that are no price or amount.
        """
        bid, ask = _level(self.b, self.B), _level(self.a, self.A)
        return Bbo(symbol, self.u, bid, ask, ts_event)


def _level(price: str, amount: str) -> Level | None:
    try:
        level = float(price or 0.0), float(amount or 0.0)
    except ValueError as error:
        raise FrameError("bad_shape", str(error)) from None
    if not all(0.0 <= number < inf for number in level):
        raise FrameError("bad_level", f"{price} {amount}")
    return level if all(level) else None
