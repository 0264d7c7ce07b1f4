"""Bitget's list of spot markets: GET /api/v2/spot/public/symbols.

A market is `online`, or not everybody can trade it: `gray` (a trial), `offline`, `halt`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.bitget.control import REST
from dragonfly_venues.instruments import Markets, Number, increment, read_list, trading

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v2/spot/public/symbols"


class _Market(msgspec.Struct, rename="camel"):
    symbol: str
    base_coin: str
    quote_coin: str
    status: str
    price_precision: Number = None
    quantity_precision: Number = None
    min_trade_amount: Number = None


_LIST: Final = REST.of(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument; the least notional is told in USDT alone, and not kept.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply)):
        markets.add(
            f"{market.base_coin}-{market.quote_coin}",
            market.symbol,
            trading(market.status, "online"),
            tick=increment(market.price_precision),
            lot=increment(market.quantity_precision),
            min_amount=market.min_trade_amount,
        )
    return markets
