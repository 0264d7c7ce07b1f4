"""How OKX spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["instrument_state", "list_asset", "next_seq"]

STRIDES: Final = (1, 3, 2, 7)
"""Numbers rise, but not one by one."""


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument)


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next `seqId` of the channel `books`."""
    if previous == 0:
        return now_ns // 1_000_000_000
    return previous + STRIDES[previous % len(STRIDES)]


def instrument_state(listing: Listing) -> str:
    """Return what the instrument list says of a market."""
    return "live" if listing.tradable else "suspend"
