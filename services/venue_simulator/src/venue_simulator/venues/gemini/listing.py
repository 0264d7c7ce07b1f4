"""How Gemini spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import lot_decimals, tick_decimals

__all__ = ["PRINTED_AMOUNT_DECIMALS", "list_asset", "next_seq", "status"]

PRINTED_AMOUNT_DECIMALS: Final = 8
STRIDES: Final = (1, 90, 7, 389)
"""One counter is the whole venue's: from one change of a book to the next it skips others'."""


def list_asset(asset: Asset) -> Listing:
    ticks = tick_decimals(asset.price, least=2)
    return Listing(
        instrument=asset.instrument,
        symbol=asset.instrument.replace("-", "").lower(),
        price_decimals=ticks,
        amount_decimals=PRINTED_AMOUNT_DECIMALS,
        tick_decimals=ticks,
        lot_decimals=lot_decimals(asset.amount),
        tradable=asset.tradable,
    )


def next_seq(previous: int, now_ns: int) -> int:
    """Return the update id of a book's next state."""
    if previous == 0:
        return now_ns // 1000
    return previous + STRIDES[previous % len(STRIDES)]


def status(listing: Listing) -> str:
    """Return what the details say of a market."""
    if not listing.tradable:
        return "closed"
    return "post_only" if listing.post_only else "open"
