"""How Bitget spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["list_asset", "next_seq", "symbol_status"]

STRIDES: Final = (2, 5, 1, 11)
"""Numbers rise, but not one by one."""


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", ""))


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next `seq`."""
    if previous == 0:
        return now_ns // 1_000_000
    return previous + STRIDES[previous % len(STRIDES)]


def symbol_status(listing: Listing) -> str:
    """Return what the list says of a market."""
    return "online" if listing.tradable else "halt"
