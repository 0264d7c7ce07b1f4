"""How Kraken spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_unpadded

__all__ = ["list_asset", "next_seq", "pair_status", "rest_asset", "rest_name"]

QTY_DECIMALS: Final = 8

_FIAT: Final = frozenset({"USD", "EUR", "GBP", "CHF"})
_REST_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument.replace("-", "/"), lots=QTY_DECIMALS)


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next message's timestamp in µs: Kraken numbers nothing."""
    return max(previous + 1, now_ns // 1000)


def pair_status(listing: Listing) -> str:
    """Return what the channel `instrument` and REST say of a market."""
    if not listing.tradable:
        return "cancel_only"
    return "post_only" if listing.post_only else "online"


def rest_name(asset: str) -> str:
    """Return the name that REST and the first socket use (`BTC` → `XBT`)."""
    return _REST_NAMES.get(asset, asset)


def rest_asset(asset: str) -> str:
    """Return REST's own name: old assets carry an X, currencies a Z (`XXBT`, `ZUSD`)."""
    short = rest_name(asset)
    if asset in _FIAT:
        return f"Z{short}"
    return f"X{short}" if len(short) == 3 else short
