"""Bitstamp's list of spot markets: GET /api/v2/markets/, or /api/v2/trading-pairs-info/ before it.

The second is announced obsolete; it names the same markets in other fields.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import Markets, Number, increment, read_list, trading

__all__ = ["OBSOLETE_REST_PATH", "REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/markets/"
OBSOLETE_REST_PATH: Final = "/api/v2/trading-pairs-info/"


class _Market(msgspec.Struct):
    """A market in either list; those from `name` on are the obsolete one's."""

    trading: str
    market_symbol: str = ""
    base_currency: str = ""
    counter_currency: str = ""
    market_type: str = "SPOT"
    base_decimals: Number = None
    counter_decimals: Number = None
    minimum_order_value: Number = None
    name: str = ""
    url_symbol: str = ""
    minimum_order: str = ""
    """An amount and the currency to be spent, "20.0 USD"."""

    @property
    def symbol(self) -> str:
        return self.market_symbol or self.url_symbol

    @property
    def pair(self) -> str:
        if self.market_symbol:
            return f"{self.base_currency}-{self.counter_currency}"
        return self.name.replace("/", "-")

    @property
    def min_notional(self) -> Number:
        counter = self.name.partition("/")[2]
        return self.minimum_order_value or self.minimum_order.removesuffix(f" {counter}")


_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument, their symbols as channels spell them.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    entries = read_list(_LIST, reply)
    for market in markets.read(_MARKET, entries):
        if market.market_type == "SPOT" and not market.symbol.endswith("-perp"):
            markets.add(
                market.pair,
                market.symbol,
                trading(market.trading, "Enabled"),
                tick=increment(market.counter_decimals),
                lot=increment(market.base_decimals),
                min_notional=market.min_notional,
            )
    return markets
