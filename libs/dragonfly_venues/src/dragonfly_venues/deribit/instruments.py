"""Deribit's list of spot markets: GET public/get_instruments?currency=any&kind=spot.

A market can be traded where `is_active` says so; its `state` says why not. Steps of a price may be
longer far from 0: `tick_size` is the shortest.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, field

from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.events import TRADING, Trading
from dragonfly_venues.instruments import LONGEST_WORD, Entry, Number, source

__all__ = ["SOURCE"]


class _Market(Entry, kw_only=True):
    symbol: str = field(name="instrument_name")
    base: str = field(name="base_currency")
    quote: str = field(name="quote_currency")
    is_active: bool
    status: str = field(default="", name="state")
    tick: Number = field(default=None, name="tick_size")
    lot: Number = field(default=None, name="contract_size")
    min_amount: Number = field(default=None, name="min_trade_amount")

    @property
    def trading(self) -> Trading:
        halted = Trading(halted=True, word=self.status[:LONGEST_WORD] or "inactive")
        return TRADING if self.is_active else halted


SOURCE: Final = source(
    _Market,
    "/api/v2/public/get_instruments?currency=any&kind=spot",
    JsonMember("result", list[Raw]),
)
