"""How OKX spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Levels, Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import decimals_of, lot_decimals, tick_decimals

__all__ = ["instrument_state", "list_asset", "list_recorded", "next_seq"]

STRIDES: Final = (1, 3, 2, 7)
"""Numbers rise, but not one by one."""


def list_asset(asset: Asset) -> Listing:
    ticks = tick_decimals(asset.price, least=1)
    lots = lot_decimals(asset.amount)
    return Listing(
        instrument=asset.instrument,
        symbol=asset.instrument,
        price_decimals=ticks,
        amount_decimals=lots,
        tick_decimals=ticks,
        lot_decimals=lots,
        tradable=asset.tradable,
    )


def list_recorded(instrument: str, symbol: str, levels: Levels) -> Listing:
    price, amount = decimals_of(levels)
    return Listing(instrument, symbol, price, amount, price, amount)


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next `seqId` of the channel `books`."""
    if previous == 0:
        return now_ns // 1_000_000_000
    return previous + STRIDES[previous % len(STRIDES)]


def instrument_state(listing: Listing) -> str:
    """Return what the instrument list says of a market."""
    return "live" if listing.tradable else "suspend"
