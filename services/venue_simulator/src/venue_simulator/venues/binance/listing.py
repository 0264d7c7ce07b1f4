"""How Binance spells, counts and rounds."""

from __future__ import annotations

from typing import Final

from venue_simulator.book import Levels, Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import lot_decimals, tick_decimals

__all__ = ["list_asset", "list_recorded", "next_seq"]

PRINTED_DECIMALS: Final = 8
"""All numbers are padded to this."""


def list_asset(asset: Asset) -> Listing:
    return Listing(
        instrument=asset.instrument,
        symbol=asset.instrument.replace("-", ""),
        price_decimals=PRINTED_DECIMALS,
        amount_decimals=PRINTED_DECIMALS,
        tick_decimals=min(PRINTED_DECIMALS, tick_decimals(asset.price, least=2)),
        lot_decimals=lot_decimals(asset.amount),
        tradable=asset.tradable,
    )


def list_recorded(instrument: str, symbol: str, levels: Levels) -> Listing:
    return Listing(
        instrument=instrument,
        symbol=symbol,
        price_decimals=PRINTED_DECIMALS,
        amount_decimals=PRINTED_DECIMALS,
        tick_decimals=PRINTED_DECIMALS,
        lot_decimals=PRINTED_DECIMALS,
    )


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next update id: a counter, begun at the time so that a restart goes on above it.

    It skips an id here and there, as a state made of several updates does.
    """
    if previous == 0:
        return now_ns // 100_000
    return previous + 1 + previous % 3
