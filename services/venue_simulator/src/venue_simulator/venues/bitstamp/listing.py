"""How Bitstamp spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import lot_decimals, tick_decimals

__all__ = ["list_asset", "next_seq"]

PRINTED_AMOUNT_DECIMALS: Final = 8
BTC_PRICE_DECIMALS: Final = 8


def list_asset(asset: Asset) -> Listing:
    """Return a listing; BTC pairs have eight decimals, so that prices fall between others'."""
    quoted_in_btc = asset.instrument.endswith("-BTC")
    ticks = BTC_PRICE_DECIMALS if quoted_in_btc else tick_decimals(asset.price, least=2)
    return Listing(
        instrument=asset.instrument,
        symbol=asset.instrument.replace("-", "").lower(),
        price_decimals=ticks,
        amount_decimals=PRINTED_AMOUNT_DECIMALS,
        tick_decimals=ticks,
        lot_decimals=lot_decimals(asset.amount),
        tradable=asset.tradable,
    )


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next microtimestamp; the same channel never shows one twice."""
    return max(previous + 1, now_ns // 1000)
