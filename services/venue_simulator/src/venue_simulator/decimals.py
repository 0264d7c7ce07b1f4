"""How many decimals a venue gives an instrument, how it is listed with them, and printed."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from venue_simulator.book import Levels, Listing
from venue_simulator.catalogue import Asset

__all__ = ["list_as_recorded", "list_unpadded", "lot_decimals", "print_float", "tick_decimals"]

SIGNIFICANT_DIGITS: Final = 4
"""Of a price, at the least: one tick is then between 0.01 % and 0.1 % of it."""


def tick_decimals(price: float, least: int) -> int:
    """Return the decimals of a price step for an asset at `price`, `least` or more."""
    return max(least, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(price)))


def lot_decimals(amount: float) -> int:
    """Return the decimals of an amount step where `amount` is a usual level: about 1000 steps."""
    return min(8, max(0, 3 - math.floor(math.log10(amount))))


def list_unpadded(asset: Asset, symbol: str, *, lots: int | None = None) -> Listing:
    """Return a listing at a venue that prints no more decimals than its steps have.

    `lots`: those of amounts, where they do not follow from the asset's usual ones.
    """
    ticks = tick_decimals(asset.price, least=1)
    lots = lot_decimals(asset.amount) if lots is None else lots
    return Listing(asset.instrument, symbol, ticks, lots, ticks, lots, tradable=asset.tradable)


def list_as_recorded(instrument: str, symbol: str, levels: Levels) -> Listing:
    """Return a listing with the decimals that a venue printed in `levels`."""
    price = max((_decimals(price) for price, _ in levels), default=8)
    amount = max((_decimals(amount) for _, amount in levels), default=8)
    return Listing(instrument, symbol, price, amount, price, amount)


def print_float(text: str, plain: range, mark: str) -> str:
    """Return a decimal number as venues print doubles: 61250.5, 0.0, 9.121E-7.

    Its digits stand as they are where the power of ten of the first is in `plain`; else that is
    written behind `mark`.
    """
    number = Decimal(text).normalize()
    exponent = number.adjusted()
    if number and exponent not in plain:
        return f"{print_float(str(number.scaleb(-exponent)), plain, mark)}{mark}{exponent}"
    digits = format(number, "f")
    return digits if "." in digits else f"{digits}.0"


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])
