"""How Crypto.com spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["list_asset", "next_seq"]

NS_PER_NUMBER: Final = 5000
"""Numbers are about the time in units of it."""
LEAST_JUMP: Final = 10_000
JUMPS: Final = 990_001


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", "_"))


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next `u`, which jumps by 1e4 to 1e6."""
    if previous == 0:
        return now_ns // NS_PER_NUMBER
    return previous + LEAST_JUMP + previous * 7919 % JUMPS
