"""Binance's list of spot markets: GET /api/v3/exchangeInfo."""

from __future__ import annotations

from typing import Final

import msgspec

from feed_listener.frames import read
from feed_listener.venue import FrameError
from feed_listener.venues.instruments import by_instrument

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v3/exchangeInfo"


class _Market(msgspec.Struct, rename="camel"):
    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    is_spot_trading_allowed: bool = True


class _List(msgspec.Struct):
    symbols: list[_Market]


_LIST: Final = msgspec.json.Decoder(_List)


def parse(reply: bytes) -> dict[str, str]:
    """Return {instrument: symbol as streams spell it} of the markets that trade now.

    Raises:
        FrameError: `reply` is no such list.
    """
    try:
        markets = read(_LIST, reply).symbols
    except FrameError as error:
        raise FrameError("not_instruments", str(error)) from None
    return by_instrument(
        (f"{market.base_asset}-{market.quote_asset}", market.symbol.lower())
        for market in markets
        if market.status == "TRADING" and market.is_spot_trading_allowed
    )
