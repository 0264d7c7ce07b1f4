"""Coinbase Advanced Trade's list of products: GET /api/v3/brokerage/market/products.

A product with an alias is another's: BTC-USDC has the book of BTC-USD, whose name its frames bear.
It is left out, so that each book has one name.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.coinbase.instruments import DELISTED, Flags
from dragonfly_venues.instruments import Markets, Number, read_list

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v3/brokerage/market/products?product_type=SPOT"


class _Product(Flags, kw_only=True):
    product_id: str
    base_currency_id: str
    quote_currency_id: str
    product_type: str = "SPOT"
    alias: str = ""
    price_increment: Number = None
    base_increment: Number = None
    base_min_size: Number = None
    quote_min_size: Number = None


class _Reply(msgspec.Struct):
    products: list[msgspec.Raw]


_LIST: Final = msgspec.json.Decoder(_Reply)
_PRODUCT: Final = msgspec.json.Decoder(_Product)


def parse(reply: bytes) -> Markets:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    markets = Markets()
    for product in markets.read(_PRODUCT, read_list(_LIST, reply).products):
        if product.product_type == "SPOT" and not product.alias and product.status != DELISTED:
            markets.add(
                f"{product.base_currency_id}-{product.quote_currency_id}",
                product.product_id,
                product.trading(),
                tick=product.price_increment,
                lot=product.base_increment,
                min_amount=product.base_min_size,
                min_notional=product.quote_min_size,
            )
    return markets
