"""HTX's list of spot markets: GET /v1/common/symbols, which tells least orders too.

GET /v2/settings/common/symbols lists the same by short names. A market's state is `online`, or it
cannot be traded: `offline`, `suspend`, `pre-online`, `halt`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.htx.control import REST
from dragonfly_venues.instruments import Markets, Number, increment, read_list, trading

__all__ = ["OTHER_REST_PATH", "REST_PATH", "parse"]

REST_PATH: Final = "/v1/common/symbols"
OTHER_REST_PATH: Final = "/v2/settings/common/symbols"


class _Market(msgspec.Struct, rename="kebab"):
    """An entry of either list."""

    state: str
    base_currency: str = ""
    quote_currency: str = ""
    symbol: str = ""
    price_precision: int | None = None
    amount_precision: int | None = None
    min_order_amt: Number = None
    min_order_value: Number = None
    bc: str = ""
    qc: str = ""
    sc: str = ""
    tpp: int | None = None
    tap: int | None = None


_LIST: Final = REST.of(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply)):
        ticks = market.tpp if market.price_precision is None else market.price_precision
        lots = market.tap if market.amount_precision is None else market.amount_precision
        markets.add(
            f"{market.base_currency or market.bc}-{market.quote_currency or market.qc}",
            market.symbol or market.sc,
            trading(market.state, "online"),
            tick=increment(ticks),
            lot=increment(lots),
            min_amount=market.min_order_amt,
            min_notional=market.min_order_value,
        )
    return markets
