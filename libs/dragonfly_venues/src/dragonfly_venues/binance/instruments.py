"""Binance's list of spot markets: GET /api/v3/exchangeInfo.

It keeps markets that were closed for good, with the status of those that are halted (BREAK).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from dragonfly_venues.instruments import Markets, Number, read_list, trading

__all__ = ["REST_PATH", "parse", "part_path"]

# Sets of permissions are most of the reply, and nothing here reads them.
REST_PATH: Final = "/api/v3/exchangeInfo?showPermissionSets=false"


class _Filter(msgspec.Struct, rename="camel", gc=False):
    """A rule for orders, with the fields that are read of any of them."""

    filter_type: str = ""
    tick_size: Number = None
    step_size: Number = None
    min_qty: Number = None
    min_notional: Number = None


class _Market(msgspec.Struct, rename="camel", gc=False):
    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    is_spot_trading_allowed: bool = True
    filters: list[_Filter] = []


class _List(msgspec.Struct):
    symbols: list[msgspec.Raw]


_LIST: Final = msgspec.json.Decoder(_List)
_MARKET: Final = msgspec.json.Decoder(_Market)
_NO_FILTER: Final = _Filter()


def part_path(symbols: Sequence[str]) -> str:
    """Return where some symbols, as streams spell them, are listed alone."""
    names = msgspec.json.encode([symbol.upper() for symbol in symbols])
    return f"{REST_PATH}&symbols={quote(names)}"


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument, their symbols as streams spell them.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for market in markets.read(_MARKET, read_list(_LIST, reply).symbols):
        if market.is_spot_trading_allowed:
            rules = {rule.filter_type: rule for rule in market.filters}
            lot = rules.get("LOT_SIZE", _NO_FILTER)
            notional = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL", _NO_FILTER)
            markets.add(
                f"{market.base_asset}-{market.quote_asset}",
                market.symbol.lower(),
                trading(market.status, "TRADING"),
                tick=rules.get("PRICE_FILTER", _NO_FILTER).tick_size,
                lot=lot.step_size,
                min_amount=lot.min_qty,
                min_notional=notional.min_notional,
            )
    return markets
