"""What the engine knows of a market when it decides: venues' live levels and rules. Pure.

Doubles stop here: a level's price and amount become the decimals of their shortest text, which is
the venue's own (up to 15 digits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Final

from dragonfly_common.messages import ListedMarket
from dragonfly_common.types import OrderSide

__all__ = [
    "BPS",
    "DecimalLevel",
    "InstrumentBook",
    "KnownMarkets",
    "MarketRules",
    "VenueTop",
    "decimal_of",
    "rules_of",
]

DecimalLevel = tuple[Decimal, Decimal]
"""(price, amount)."""

BPS: Final = Decimal(10_000)


def decimal_of(number: float) -> Decimal:
    """Return the decimal number that a double of the market data stands for."""
    return Decimal(repr(number))


@dataclass(frozen=True)
class MarketRules:
    """What a venue asks of an order of one instrument."""

    venue_symbol: str
    tick: Decimal
    lot: Decimal
    min_amount: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    halted: bool = False

    def least(self, price: Decimal) -> Decimal:
        """Return the least amount that an order at `price` may have, a multiple of the lot."""
        wanted = max(self.min_amount, self.min_notional / price, self.lot)
        return -(-wanted // self.lot) * self.lot

    def floor(self, amount: Decimal) -> Decimal:
        """Return the largest multiple of the lot that is not above `amount`."""
        return amount // self.lot * self.lot

    def snap(self, price: Decimal, side: OrderSide) -> Decimal:
        """Return the multiple of the tick next to `price` that is not worse for a customer."""
        steps = price / self.tick
        whole = steps.to_integral_value(
            rounding="ROUND_FLOOR" if side is OrderSide.BUY else "ROUND_CEILING"
        )
        return whole * self.tick


def rules_of(market: ListedMarket) -> MarketRules | None:
    """Return the rules of a market; None where its venue does not tell tick and lot.

    Then nothing can be traded there: an order that the venue might refuse is not sent.
    """
    if market.tick is None or market.lot is None:
        return None
    return MarketRules(
        market.symbol,
        Decimal(market.tick),
        Decimal(market.lot),
        Decimal(market.min_amount or 0),
        Decimal(market.min_notional or 0),
        market.halted,
    )


@dataclass(frozen=True)
class VenueTop:
    """One live venue's part of a book."""

    bids: tuple[DecimalLevel, ...]
    asks: tuple[DecimalLevel, ...]
    heard_ns: int
    """When its venue was heard last, as the book tells it."""

    def taken_by(self, side: OrderSide) -> tuple[DecimalLevel, ...]:
        """Return the levels that an order would take, best first."""
        return self.asks if side is OrderSide.BUY else self.bids


@dataclass(frozen=True)
class InstrumentBook:
    """The consolidated book of an instrument: its live venues alone."""

    tops: Mapping[str, VenueTop] = field(default_factory=dict)

    @cached_property
    def mid(self) -> Decimal | None:
        """The mean of the best bid and the best ask; None where a side is empty."""
        bids = [top.bids[0][0] for top in self.tops.values() if top.bids]
        asks = [top.asks[0][0] for top in self.tops.values() if top.asks]
        return (max(bids) + min(asks)) / 2 if bids and asks else None


@dataclass
class KnownMarkets:
    """All that is known of markets now."""

    books: dict[str, InstrumentBook] = field(default_factory=dict)
    """By instrument."""
    rules: dict[tuple[str, str], MarketRules] = field(default_factory=dict)
    """By instrument and venue."""
    proven_at: float | None = None
    """When `books` were last known to be those of venues that are live (monotonic)."""

    def mid(self, instrument: str) -> Decimal | None:
        book = self.books.get(instrument)
        return book.mid if book else None
