"""Crypto.com's list of instruments: GET /exchange/v1/public/get-instruments.

Some of them are spot markets. One is `tradable`, or it cannot be traded.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, field

from dragonfly_venues.cryptocom.control import REST
from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import Entry, Number, source

__all__ = ["SOURCE"]


_SPOT: Final = "CCY_PAIR"
_UNTRADABLE: Final = Trading(halted=True, word="not tradable")


class _Market(Entry, kw_only=True):
    inst_type: str
    base: str = field(default="", name="base_ccy")
    quote: str = field(default="", name="quote_ccy")
    tradable: bool = True
    tick: Number = field(default=None, name="price_tick_size")
    lot: Number = field(default=None, name="qty_tick_size")

    @property
    def is_spot(self) -> bool:
        return self.inst_type == _SPOT

    @property
    def trading(self) -> Trading:
        return TRADING if self.tradable else _UNTRADABLE


# Some 800 instruments, derivatives among them; 100 requests in a second are allowed.
SOURCE: Final = source(
    _Market, "/exchange/v1/public/get-instruments", REST.around(JsonMember("data", list[Raw]))
)
