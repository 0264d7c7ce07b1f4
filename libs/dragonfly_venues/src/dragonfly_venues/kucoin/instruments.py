"""KuCoin's list of spot markets: GET /api/v2/symbols."""

from __future__ import annotations

from typing import Final

from msgspec import Raw, field

from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import Entry, Number, source
from dragonfly_venues.kucoin.control import REST

__all__ = ["SOURCE"]


_DISABLED: Final = Trading(halted=True, word="trading disabled")


class _Market(Entry, kw_only=True):
    """Its symbol may differ from the names of its currencies."""

    base: str = field(name="baseCurrency")
    quote: str = field(name="quoteCurrency")
    enabled: bool = field(name="enableTrading")
    tick: Number = field(default=None, name="priceIncrement")
    lot: Number = field(default=None, name="baseIncrement")
    min_amount: Number = field(default=None, name="baseMinSize")
    min_notional: Number = field(default=None, name="minFunds")

    @property
    def trading(self) -> Trading:
        return TRADING if self.enabled else _DISABLED


# Some 1300 markets in 700 kB.
SOURCE: Final = source(_Market, "/api/v2/symbols", REST.of(list[Raw]))
