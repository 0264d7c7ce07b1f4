"""Crypto.com's list of instruments: GET /exchange/v1/public/get-instruments.

Some of them are spot markets. One is `tradable`, or it cannot be traded.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.cryptocom.control import REST
from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import Markets, Number, read_list

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/exchange/v1/public/get-instruments"

_SPOT: Final = "CCY_PAIR"
_UNTRADABLE: Final = Trading(halted=True, word="not tradable")


class _Market(msgspec.Struct):
    symbol: str
    inst_type: str
    base_ccy: str = ""
    quote_ccy: str = ""
    tradable: bool = True
    price_tick_size: Number = None
    qty_tick_size: Number = None


class _Result(msgspec.Struct):
    data: list[msgspec.Raw]


_LIST: Final = REST.of(_Result)
_MARKET: Final = msgspec.json.Decoder(_Market)


def parse(reply: bytes) -> Markets:
    """Return the spot markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply).data):
        if market.inst_type == _SPOT:
            markets.add(
                f"{market.base_ccy}-{market.quote_ccy}",
                market.symbol,
                TRADING if market.tradable else _UNTRADABLE,
                tick=market.price_tick_size,
                lot=market.qty_tick_size,
            )
    return markets
