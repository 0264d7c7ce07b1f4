"""How KuCoin spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Levels, Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import decimals_of, lot_decimals, tick_decimals

__all__ = ["list_asset", "list_recorded", "next_seq"]

CHANGES_A_STATE: Final = (2, 1, 4)
"""The book counts every change, and a state may be of several."""


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
    """Return the number of the last change of a book's next state."""
    if previous == 0:
        return now_ns // 1_000_000
    return previous + CHANGES_A_STATE[previous % len(CHANGES_A_STATE)]
