"""Bitstamp's list of spot markets: GET /api/v2/markets/, or /api/v2/trading-pairs-info/ before it.

The second is announced obsolete; it names the same markets in other fields.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import by_instrument, read_list, trading
from dragonfly_venues.venue import Market

__all__ = ["OBSOLETE_REST_PATH", "REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/markets/"
OBSOLETE_REST_PATH: Final = "/api/v2/trading-pairs-info/"


class _Market(msgspec.Struct):
    """A market in either list; `name` and `url_symbol` are the obsolete one's."""

    trading: str
    market_symbol: str = ""
    base_currency: str = ""
    counter_currency: str = ""
    market_type: str = "SPOT"
    name: str = ""
    url_symbol: str = ""

    @property
    def symbol(self) -> str:
        return self.market_symbol or self.url_symbol

    @property
    def pair(self) -> str:
        if self.market_symbol:
            return f"{self.base_currency}-{self.counter_currency}"
        return self.name.replace("/", "-")


_LIST: Final = msgspec.json.Decoder(list[_Market])


def parse(reply: bytes) -> dict[str, Market]:
    """Return the markets by instrument, their symbols as channels spell them.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = read_list(_LIST, reply)
    return by_instrument(
        (market.pair, Market(market.symbol, trading(market.trading, "Enabled")))
        for market in markets
        if market.market_type == "SPOT" and not market.symbol.endswith("-perp")
    )
