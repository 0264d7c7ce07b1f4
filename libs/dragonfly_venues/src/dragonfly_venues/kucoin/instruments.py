"""KuCoin's list of spot markets: GET /api/v2/symbols."""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import Markets, Number, read_list
from dragonfly_venues.kucoin.control import REST

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/symbols"

_DISABLED: Final = Trading(halted=True, word="trading disabled")


class _Market(msgspec.Struct, rename="camel"):
    symbol: str
    base_currency: str
    quote_currency: str
    enable_trading: bool
    price_increment: Number = None
    base_increment: Number = None
    base_min_size: Number = None
    min_funds: Number = None


_LIST: Final = REST.of(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument; a symbol may differ from the names of its currencies.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply)):
        markets.add(
            f"{market.base_currency}-{market.quote_currency}",
            market.symbol,
            TRADING if market.enable_trading else _DISABLED,
            tick=market.price_increment,
            lot=market.base_increment,
            min_amount=market.base_min_size,
            min_notional=market.min_funds,
        )
    return markets
