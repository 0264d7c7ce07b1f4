"""How Bybit spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["SEQS_A_MESSAGE", "instrument_status", "list_asset", "next_seq"]

SEQS_A_MESSAGE: Final = 7
"""How far `seq` rises while `u` rises by one: the engine counts more than one topic's messages."""


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", ""))


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next `seq`."""
    start = now_ns // 1_000_000_000 * SEQS_A_MESSAGE
    return previous + SEQS_A_MESSAGE if previous else start


def instrument_status(listing: Listing) -> str:
    """Return what the list says of a market; it documents one word alone."""
    return "Trading" if listing.tradable else "Closed"
