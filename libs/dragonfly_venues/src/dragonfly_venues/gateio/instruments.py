"""Gate.io's list of spot markets: GET /api/v4/spot/currency_pairs.

A market's state is `tradable` or `untradable`, or only one side can be traded: `buyable`,
`sellable`. Prices and amounts have as many decimals as the list says.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import Markets, Number, increment, read_list, trading

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v4/spot/currency_pairs"

_ONE_SIDED: Final = frozenset({"buyable", "sellable"})


class _Market(msgspec.Struct):
    id: str
    base: str
    quote: str
    trade_status: str
    precision: Number = None
    amount_precision: Number = None
    min_base_amount: Number = None
    min_quote_amount: Number = None


_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply)):
        markets.add(
            f"{market.base}-{market.quote}",
            market.id,
            trading(market.trade_status, "tradable", _ONE_SIDED),
            tick=increment(market.precision),
            lot=increment(market.amount_precision),
            min_amount=market.min_base_amount,
            min_notional=market.min_quote_amount,
        )
    return markets
