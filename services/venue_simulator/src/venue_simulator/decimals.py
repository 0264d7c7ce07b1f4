"""How many decimals a venue gives an instrument."""

from __future__ import annotations

import math
from typing import Final

from venue_simulator.book import Levels

__all__ = ["decimals_of", "lot_decimals", "tick_decimals"]

SIGNIFICANT_DIGITS: Final = 4
"""Of a price, at the least: one tick is then between 0.01 % and 0.1 % of it."""


def tick_decimals(price: float, least: int) -> int:
    """Return the decimals of a price step for an asset at `price`, `least` or more."""
    return max(least, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(price)))


def lot_decimals(amount: float) -> int:
    """Return the decimals of an amount step where `amount` is a usual level: about 1000 steps."""
    return min(8, max(0, 3 - math.floor(math.log10(amount))))


def decimals_of(levels: Levels) -> tuple[int, int]:
    """Return the (price, amount) decimals with which a venue printed `levels`."""
    return (
        max((_decimals(price) for price, _ in levels), default=8),
        max((_decimals(amount) for _, amount in levels), default=8),
    )


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])
