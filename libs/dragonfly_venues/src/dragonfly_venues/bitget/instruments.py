"""Bitget's list of spot markets: GET /api/v2/spot/public/symbols.

A market is `online`, or not everybody can trade it: `gray` (a trial), `offline`, `halt`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import Raw, field

from dragonfly_venues.bitget.control import REST
from dragonfly_venues.instruments import Entry, Number, source

__all__ = ["SOURCE"]


class _Market(Entry, kw_only=True):
    """The least notional is told in USDT alone, and not kept."""

    usual: ClassVar = "online"
    counts_decimals: ClassVar = True

    base: str = field(name="baseCoin")
    quote: str = field(name="quoteCoin")
    status: str
    tick: Number = field(default=None, name="pricePrecision")
    lot: Number = field(default=None, name="quantityPrecision")
    min_amount: Number = field(default=None, name="minTradeAmount")


SOURCE: Final = source(_Market, "/api/v2/spot/public/symbols", REST.of(list[Raw]))
