"""OKX's list of spot markets: GET /api/v5/public/instruments?instType=SPOT.

A market's state is `live`, or it cannot be traded: `suspend`, `preopen`, `test`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import Raw, field

from dragonfly_venues.instruments import Entry, Number, lister
from dragonfly_venues.okx.control import REST

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v5/public/instruments?instType=SPOT"


class _Market(Entry, kw_only=True):
    usual: ClassVar = "live"

    symbol: str = field(name="instId")
    base: str = field(name="baseCcy")
    quote: str = field(name="quoteCcy")
    status: str = field(name="state")
    tick: Number = field(default=None, name="tickSz")
    lot: Number = field(default=None, name="lotSz")
    min_amount: Number = field(default=None, name="minSz")


parse = lister(REST.of(list[Raw]), _Market)
