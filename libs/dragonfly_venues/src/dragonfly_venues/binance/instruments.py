"""Binance's list of spot markets: GET /api/v3/exchangeInfo.

It keeps markets that were closed for good, with the status of those that are halted (BREAK).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw, field

from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.instruments import Entry, Number, lister

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


class _Market(Entry, kw_only=True, gc=False):
    usual: ClassVar = "TRADING"

    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    status: str
    is_spot_allowed: bool = field(default=True, name="isSpotTradingAllowed")
    filters: list[_Filter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.symbol = self.symbol.lower()  # as streams spell it
        rules = {rule.filter_type: rule for rule in self.filters}
        lot = rules.get("LOT_SIZE", _NO_FILTER)
        notional = rules.get("NOTIONAL") or rules.get("MIN_NOTIONAL", _NO_FILTER)
        self.tick = rules.get("PRICE_FILTER", _NO_FILTER).tick_size
        self.lot, self.min_amount = lot.step_size, lot.min_qty
        self.min_notional = notional.min_notional

    @property
    def is_spot(self) -> bool:
        return self.is_spot_allowed


_NO_FILTER: Final = _Filter()


def part_path(symbols: Sequence[str]) -> str:
    """Return where some symbols, as streams spell them, are listed alone."""
    names = msgspec.json.encode([symbol.upper() for symbol in symbols])
    return f"{REST_PATH}&symbols={quote(names)}"


parse = lister(JsonMember("symbols", list[Raw]), _Market)
