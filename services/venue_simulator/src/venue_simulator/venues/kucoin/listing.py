"""How KuCoin spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["list_asset", "next_seq"]

CHANGES_A_STATE: Final = (2, 1, 4)
"""The book counts every change, and a state may be of several."""


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument)


def next_seq(previous: int, now_ns: int) -> int:
    """Return the number of the last change of a book's next state."""
    if previous == 0:
        return now_ns // 1_000_000
    return previous + CHANGES_A_STATE[previous % len(CHANGES_A_STATE)]
