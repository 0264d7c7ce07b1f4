"""HTX's list of spot markets: GET /v1/common/symbols, which tells least orders too.

GET /v2/settings/common/symbols lists the same by short names. A market's state is `online`, or it
cannot be traded: `offline`, `suspend`, `pre-online`, `halt`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec import Raw, field

from dragonfly_venues.htx.control import REST
from dragonfly_venues.instruments import Entry, Number, source

__all__ = ["SOURCE"]


class _Market(Entry, kw_only=True):
    """An entry of either list; those from `bc` on are the other one's."""

    usual: ClassVar = "online"
    counts_decimals: ClassVar = True

    symbol: str = ""
    base: str = field(default="", name="base-currency")
    quote: str = field(default="", name="quote-currency")
    status: str = field(name="state")
    tick: Number = field(default=None, name="price-precision")
    lot: Number = field(default=None, name="amount-precision")
    min_amount: Number = field(default=None, name="min-order-amt")
    min_notional: Number = field(default=None, name="min-order-value")
    bc: str = ""
    qc: str = ""
    sc: str = ""
    tpp: int | None = None
    tap: int | None = None

    def __post_init__(self) -> None:
        self.symbol = self.symbol or self.sc
        self.base, self.quote = self.base or self.bc, self.quote or self.qc
        self.tick = self.tpp if self.tick is None else self.tick
        self.lot = self.tap if self.lot is None else self.lot


# Some 1000 markets in 500 kB.
SOURCE: Final = source(
    _Market, "/v1/common/symbols", REST.of(list[Raw]), other_rest_path="/v2/settings/common/symbols"
)
