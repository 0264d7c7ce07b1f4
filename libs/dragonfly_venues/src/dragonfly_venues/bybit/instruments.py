"""Bybit's list of spot markets: GET /v5/market/instruments-info?category=spot.

It is one page. A market's status is `Trading`, or it cannot be traded.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import Raw, Struct, field

from dragonfly_venues.bybit.control import REST
from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.instruments import Entry, Number, source

__all__ = ["SOURCE"]


class _PriceFilter(Struct, frozen=True, rename="camel"):
    tick_size: Number = None


class _LotSizeFilter(Struct, frozen=True, rename="camel"):
    base_precision: Number = None
    min_order_qty: Number = None
    min_order_amt: Number = None


class _Market(Entry, kw_only=True):
    usual: ClassVar = "Trading"

    base: str = field(name="baseCoin")
    quote: str = field(name="quoteCoin")
    status: str
    prices: _PriceFilter = field(default=_PriceFilter(), name="priceFilter")
    amounts: _LotSizeFilter = field(default=_LotSizeFilter(), name="lotSizeFilter")

    def __post_init__(self) -> None:
        self.tick, amounts = self.prices.tick_size, self.amounts
        self.lot, self.min_amount = amounts.base_precision, amounts.min_order_qty
        self.min_notional = amounts.min_order_amt


SOURCE: Final = source(
    _Market, "/v5/market/instruments-info?category=spot", REST.around(JsonMember("list", list[Raw]))
)
