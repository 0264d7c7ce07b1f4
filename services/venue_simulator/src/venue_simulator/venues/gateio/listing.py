"""How Gate.io spells, counts and rounds."""

from __future__ import annotations

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["list_asset", "next_seq", "trade_status"]


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", "_"))


def next_seq(previous: int, now_ns: int) -> int:
    """Return the number of the last change of a book's next state: one state or several."""
    if previous == 0:
        return now_ns // 1_000_000
    return previous + 1 + previous % 3


def trade_status(listing: Listing) -> str:
    """Return what the list of pairs says of a market."""
    return "tradable" if listing.tradable else "untradable"
