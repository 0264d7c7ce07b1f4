"""Coinbase Exchange's list of products: GET /products."""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.events import Trading
from dragonfly_venues.instruments import Markets, Number, read_list, trading

__all__ = ["DELISTED", "REST_PATH", "Flags", "parse"]

REST_PATH: Final = "/products"
DELISTED: Final = "delisted"

_ONLINE: Final = "online"
_RESTRICTIONS: Final = ("post_only", "limit_only")
_HALTS: Final = ("trading_disabled", "is_disabled", "view_only", "cancel_only", "auction_mode")
"""In an auction orders are collected and not matched: its book may be crossed."""


class Flags(msgspec.Struct):
    """What both lists of Coinbase say of a product's trading."""

    status: str
    trading_disabled: bool = False
    is_disabled: bool = False
    view_only: bool = False
    cancel_only: bool = False
    auction_mode: bool = False
    post_only: bool = False
    limit_only: bool = False

    def trading(self) -> Trading:
        """Return what they mean: a halt before a restriction."""
        words = (word for word in (*_HALTS, *_RESTRICTIONS) if getattr(self, word))
        word = next(words, _ONLINE) if self.status == _ONLINE else self.status
        return trading(word, _ONLINE, _RESTRICTIONS)


class _Product(Flags, kw_only=True):
    id: str
    base_currency: str
    quote_currency: str
    quote_increment: Number = None
    base_increment: Number = None
    base_min_size: Number = None
    min_market_funds: Number = None


_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_PRODUCT: Final = msgspec.json.Decoder(_Product)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for product in markets.read(_PRODUCT, read_list(_LIST, reply)):
        if product.status != DELISTED:
            markets.add(
                f"{product.base_currency}-{product.quote_currency}",
                product.id,
                product.trading(),
                tick=product.quote_increment,
                lot=product.base_increment,
                min_amount=product.base_min_size,
                min_notional=product.min_market_funds,
            )
    return markets
