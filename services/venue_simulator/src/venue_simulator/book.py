"""A venue's book as text, and what a venue says it trades."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

__all__ = ["BookState", "Levels", "Listing", "TextLevel", "cross", "lie", "pairs"]

TextLevel = tuple[str, str]
"""(price, amount) as the venue prints them."""

Levels = tuple[TextLevel, ...]
"""Best first."""


@dataclass(frozen=True, slots=True, eq=False)
class BookState:
    """One state of one book. Two states are the same only where they are one object."""

    venue_seq: int
    ts_ns: int
    """When this became the truth, by the simulator's clock."""
    bids: Levels
    asks: Levels
    crossed: bool = False
    """By a fault: best bid at or above best ask."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument as one venue lists it."""

    instrument: str
    symbol: str
    price_decimals: int
    """As printed."""
    amount_decimals: int
    """As printed."""
    tick_decimals: int
    """Of the smallest price step; fewer than printed where the venue pads with zeros."""
    lot_decimals: int
    """Of the smallest amount step."""
    tradable: bool = True
    post_only: bool = False
    """Only orders that rest are taken."""

    @property
    def base(self) -> str:
        return self.instrument.partition("-")[0]

    @property
    def quote(self) -> str:
        return self.instrument.partition("-")[2]

    @property
    def tick(self) -> str:
        return power_of_ten(self.tick_decimals, self.price_decimals)

    @property
    def lot(self) -> str:
        return power_of_ten(self.lot_decimals, self.amount_decimals)

    @property
    def min_notional(self) -> str:
        """Return the least price times amount of an order."""
        return {"BTC": "0.0001", "ETH": "0.002"}.get(self.quote, "5")


def pairs(levels: Levels) -> str:
    """Return `levels` as venues print them that write each as a pair of texts."""
    return ",".join([f'["{price}","{amount}"]' for price, amount in levels])


def cross(state: BookState) -> BookState:
    """Return `state` with its best bid at its second ask; a book too thin for it stays as it is."""
    if not state.bids or len(state.asks) < 2:
        return state
    best = (state.asks[1][0], state.bids[0][1])
    return replace(state, bids=(best, *state.bids[1:]), crossed=True)


def lie(state: BookState) -> BookState:
    """Return `state` with another amount, as many digits long, at its best bid, if it has one."""
    if not state.bids:
        return state
    price, amount = state.bids[0]
    first = next(digit for digit in amount if digit in "123456789")
    other = amount.replace(first, "2" if first == "1" else "1", 1)
    return replace(state, bids=((price, other), *state.bids[1:]))


def power_of_ten(decimals: int, printed: int) -> str:
    """Return 10⁻ᵈᵉᶜⁱᵐᵃˡˢ as text with `printed` decimals (5, 8 → `0.00001000`)."""
    return f"{Decimal(1).scaleb(-decimals):.{printed}f}"
