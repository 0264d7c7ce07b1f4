"""Coinbase Advanced Trade's list of products: GET /api/v3/brokerage/market/products.

A product with an alias is another's: BTC-USDC has the book of BTC-USD, whose name its frames bear.
It is left out, so that each book has one name.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, field

from dragonfly_venues.coinbase.instruments import Product
from dragonfly_venues.decoding.replies import JsonMember
from dragonfly_venues.instruments import Number, source

__all__ = ["SOURCE"]


class _Product(Product, kw_only=True):
    symbol: str = field(name="product_id")
    base: str = field(name="base_currency_id")
    quote: str = field(name="quote_currency_id")
    product_type: str = "SPOT"
    alias: str = ""
    tick: Number = field(default=None, name="price_increment")
    min_notional: Number = field(default=None, name="quote_min_size")

    @property
    def is_spot(self) -> bool:
        return super().is_spot and self.product_type == "SPOT" and not self.alias


# Some 900 products in 1.2 MB.
SOURCE: Final = source(
    _Product,
    "/api/v3/brokerage/market/products?product_type=SPOT",
    JsonMember("products", list[Raw]),
)
