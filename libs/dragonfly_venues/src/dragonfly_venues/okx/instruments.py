"""OKX's list of spot markets: GET /api/v5/public/instruments?instType=SPOT.

A market's state is `live`, or it cannot be traded: `suspend`, `preopen`, `test`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import Markets, Number, read_list, trading
from dragonfly_venues.okx.control import REST

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v5/public/instruments?instType=SPOT"


class _Market(msgspec.Struct, rename="camel"):
    inst_id: str
    base_ccy: str
    quote_ccy: str
    state: str
    tick_sz: Number = None
    lot_sz: Number = None
    min_sz: Number = None


_LIST: Final = REST.of(list[msgspec.Raw])
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply)):
        markets.add(
            f"{market.base_ccy}-{market.quote_ccy}",
            market.inst_id,
            trading(market.state, "live"),
            tick=market.tick_sz,
            lot=market.lot_sz,
            min_amount=market.min_sz,
        )
    return markets
