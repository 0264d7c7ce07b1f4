"""Gemini's list of markets: GET /v1/symbols/details/all, perpetuals among them.

`tick_size` is the step of amounts, `quote_increment` that of prices. A market's status is `open`,
`closed`, `cancel_only`, or takes some orders only: `post_only`, `limit_only`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import Markets, Number, read_list, trading

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/v1/symbols/details/all"

_SPOT: Final = "spot"
_PERPETUAL_SUFFIX: Final = "perp"
_RESTRICTED: Final = frozenset({"post_only", "limit_only"})


class _Market(msgspec.Struct):
    symbol: str
    base_currency: str
    quote_currency: str
    status: str
    product_type: str = _SPOT
    quote_increment: Number = None
    tick_size: Number = None
    min_order_size: Number = None


_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the spot markets by instrument, their symbols as streams spell them.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply)):
        symbol = market.symbol.lower()
        if market.product_type == _SPOT and not symbol.endswith(_PERPETUAL_SUFFIX):
            markets.add(
                f"{market.base_currency}-{market.quote_currency}",
                symbol,
                trading(market.status, "open", _RESTRICTED),
                tick=market.quote_increment,
                lot=market.tick_size,
                min_amount=market.min_order_size,
            )
    return markets
