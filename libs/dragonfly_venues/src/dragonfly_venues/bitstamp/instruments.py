"""Bitstamp's list of spot markets: GET /api/v2/markets/, or /api/v2/trading-pairs-info/ before it.

The second is announced obsolete; it names the same markets in other fields.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import field

from dragonfly_venues.instruments import Entry, Number, source

__all__ = ["SOURCE"]


class _Market(Entry, kw_only=True):
    """A market in either list; those from `pair` on are the obsolete one's."""

    usual: ClassVar = "Enabled"
    counts_decimals: ClassVar = True

    symbol: str = field(default="", name="market_symbol")
    base: str = field(default="", name="base_currency")
    quote: str = field(default="", name="counter_currency")
    status: str = field(name="trading")
    market_type: str = "SPOT"
    tick: Number = field(default=None, name="counter_decimals")
    lot: Number = field(default=None, name="base_decimals")
    min_notional: Number = field(default=None, name="minimum_order_value")
    pair: str = field(default="", name="name")
    url_symbol: str = ""
    minimum_order: str = ""
    """An amount and the currency to be spent, "20.0 USD"."""

    def __post_init__(self) -> None:
        if not self.symbol:
            self.symbol = self.url_symbol
            self.base, _, self.quote = self.pair.partition("/")
        counter = self.pair.partition("/")[2]
        self.min_notional = self.min_notional or self.minimum_order.removesuffix(f" {counter}")

    @property
    def is_spot(self) -> bool:
        return self.market_type == "SPOT" and not self.symbol.endswith("-perp")


# The list is short (some 250 markets, 60 kB): it is read whole each minute.
SOURCE: Final = source(_Market, "/api/v2/markets/", other_rest_path="/api/v2/trading-pairs-info/")
