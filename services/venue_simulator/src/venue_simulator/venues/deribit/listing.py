"""How Deribit spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["list_asset", "next_seq"]

STRIDES: Final = (191, 12, 47)
"""Numbers rise, but many instruments share them."""


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", "_"))


def next_seq(previous: int, now_ns: int) -> int:
    """Return the `change_id` of a book's next state."""
    if previous == 0:
        return now_ns // 100_000_000
    return previous + STRIDES[previous % len(STRIDES)]
