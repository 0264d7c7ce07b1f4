"""How HTX spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["instrument_state", "list_asset", "next_seq"]

STRIDES: Final = (1, 7, 2, 81, 13)
"""Numbers rise, but not one by one."""


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", "").lower())


def next_seq(previous: int, now_ns: int) -> int:
    """Return the `seqNum` of a book's next state, which is the `version` of its depth too."""
    if previous == 0:
        return now_ns // 10_000_000
    return previous + STRIDES[previous % len(STRIDES)]


def instrument_state(listing: Listing) -> str:
    """Return what the instrument lists say of a market."""
    return "online" if listing.tradable else "suspend"
