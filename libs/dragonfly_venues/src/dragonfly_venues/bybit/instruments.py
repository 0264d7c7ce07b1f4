"""Bybit's list of spot markets: GET /v5/market/instruments-info?category=spot.

It is one page. A market's status is `Trading`, or it cannot be traded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.bybit.control import REST
from dragonfly_venues.instruments import Markets, Number, read_list, trading

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/v5/market/instruments-info?category=spot"


class _PriceFilter(msgspec.Struct, frozen=True, rename="camel"):
    tick_size: Number = None


class _LotSizeFilter(msgspec.Struct, frozen=True, rename="camel"):
    base_precision: Number = None
    min_order_qty: Number = None
    min_order_amt: Number = None


class _Market(msgspec.Struct, rename="camel"):
    symbol: str
    base_coin: str
    quote_coin: str
    status: str
    price_filter: _PriceFilter = _PriceFilter()
    lot_size_filter: _LotSizeFilter = _LotSizeFilter()


class _List(msgspec.Struct, rename={"markets": "list"}):
    markets: list[msgspec.Raw]


_LIST: Final = REST.of(_List)
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply).markets):
        amounts = market.lot_size_filter
        markets.add(
            f"{market.base_coin}-{market.quote_coin}",
            market.symbol,
            trading(market.status, "Trading"),
            tick=market.price_filter.tick_size,
            lot=amounts.base_precision,
            min_amount=amounts.min_order_qty,
            min_notional=amounts.min_order_amt,
        )
    return markets
