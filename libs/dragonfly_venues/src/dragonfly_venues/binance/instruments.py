"""Binance's list of spot markets: GET /api/v3/exchangeInfo.

It keeps markets that were closed for good, with the status of those that are halted (BREAK).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.instruments import by_instrument, read_list, trading
from dragonfly_venues.venue import Market

__all__ = ["REST_PATH", "parse", "part_path"]

# Sets of permissions are most of the reply, and nothing here reads them.
REST_PATH: Final = "/api/v3/exchangeInfo?showPermissionSets=false"


class _Market(msgspec.Struct, rename="camel"):
    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    is_spot_trading_allowed: bool = True


class _List(msgspec.Struct):
    symbols: list[_Market]


_LIST: Final = msgspec.json.Decoder(_List)


def part_path(symbols: Sequence[str]) -> str:
    """Return where some symbols, as streams spell them, are listed alone."""
    names = msgspec.json.encode([symbol.upper() for symbol in symbols])
    return f"{REST_PATH}&symbols={quote(names)}"


def parse(reply: bytes) -> dict[str, Market]:
    """Return the markets by instrument, their symbols as streams spell them.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = read_list(_LIST, reply).symbols
    return by_instrument(
        (
            f"{market.base_asset}-{market.quote_asset}",
            Market(market.symbol.lower(), trading(market.status, "TRADING")),
        )
        for market in markets
        if market.is_spot_trading_allowed
    )
