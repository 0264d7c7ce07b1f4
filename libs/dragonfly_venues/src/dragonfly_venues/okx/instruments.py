"""OKX's list of spot markets: GET /api/v5/public/instruments?instType=SPOT.

A market's state is `live`, or it cannot be traded: `suspend`, `preopen`, `test`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import Raw, field

from dragonfly_venues.instruments import Entry, Number, source
from dragonfly_venues.okx.control import REST

__all__ = ["SOURCE"]


class _Market(Entry, kw_only=True):
    usual: ClassVar = "live"

    symbol: str = field(name="instId")
    base: str = field(name="baseCcy")
    quote: str = field(name="quoteCcy")
    status: str = field(name="state")
    tick: Number = field(default=None, name="tickSz")
    lot: Number = field(default=None, name="lotSz")
    min_amount: Number = field(default=None, name="minSz")


# Some 700 markets in 400 kB; 20 requests in 2 s are allowed.
SOURCE: Final = source(_Market, "/api/v5/public/instruments?instType=SPOT", REST.of(list[Raw]))
