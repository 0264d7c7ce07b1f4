"""Gemini's list of markets: GET /v1/symbols/details/all, perpetuals among them.

`tick_size` is the step of amounts, `quote_increment` that of prices. A market's status is `open`,
`closed`, `cancel_only`, or takes some orders only: `post_only`, `limit_only`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import field

from dragonfly_venues.instruments import Entry, Number, source

__all__ = ["SOURCE"]


_SPOT: Final = "spot"
_PERPETUAL_SUFFIX: Final = "perp"


class _Market(Entry, kw_only=True):
    usual: ClassVar = "open"
    restricted: ClassVar = ("post_only", "limit_only")

    base: str = field(name="base_currency")
    quote: str = field(name="quote_currency")
    status: str
    product_type: str = _SPOT
    tick: Number = field(default=None, name="quote_increment")
    lot: Number = field(default=None, name="tick_size")
    min_amount: Number = field(default=None, name="min_order_size")

    def __post_init__(self) -> None:
        self.symbol = self.symbol.lower()  # as streams spell it

    @property
    def is_spot(self) -> bool:
        return self.product_type == _SPOT and not self.symbol.endswith(_PERPETUAL_SUFFIX)


# Some 350 markets in 90 kB; 120 requests a minute are allowed.
SOURCE: Final = source(_Market, "/v1/symbols/details/all")
