"""Coinbase Exchange's list of products: GET /products."""

from __future__ import annotations

from typing import Final

from msgspec import field

from dragonfly_venues.events import Trading
from dragonfly_venues.instruments import Entry, Number, source, trading

__all__ = ["SOURCE", "Product"]


_ONLINE: Final = "online"
_DELISTED: Final = "delisted"
_RESTRICTIONS: Final = ("post_only", "limit_only")
_HALTS: Final = ("trading_disabled", "is_disabled", "view_only", "cancel_only", "auction_mode")
"""In an auction orders are collected and not matched: its book may be crossed."""


class Product(Entry, kw_only=True):
    """A product, as both lists of Coinbase have it."""

    status: str
    trading_disabled: bool = False
    is_disabled: bool = False
    view_only: bool = False
    cancel_only: bool = False
    auction_mode: bool = False
    post_only: bool = False
    limit_only: bool = False
    lot: Number = field(default=None, name="base_increment")
    min_amount: Number = field(default=None, name="base_min_size")

    @property
    def is_spot(self) -> bool:
        """True for a market."""
        return self.status != _DELISTED

    @property
    def trading(self) -> Trading:
        """The meaning of status and flags: a halt before a restriction."""
        words = (word for word in (*_HALTS, *_RESTRICTIONS) if getattr(self, word))
        word = next(words, _ONLINE) if self.status == _ONLINE else self.status
        return trading(word, _ONLINE, _RESTRICTIONS)


class _Product(Product, kw_only=True):
    symbol: str = field(name="id")
    base: str = field(name="base_currency")
    quote: str = field(name="quote_currency")
    tick: Number = field(default=None, name="quote_increment")
    min_notional: Number = field(default=None, name="min_market_funds")


# Some 700 products in 400 kB.
SOURCE: Final = source(_Product, "/products")
