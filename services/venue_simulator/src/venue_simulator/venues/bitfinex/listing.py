"""How Bitfinex spells, stamps and rounds."""

from __future__ import annotations

import math
from typing import Final

from venue_simulator.book import Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import lot_decimals

__all__ = ["CODES", "instrument_of", "list_asset", "next_seq", "symbol_of"]

CODES: Final = {"USDT": "UST", "USDC": "UDC", "IOTA": "IOT", "DASH": "DSH", "QTUM": "QTM"}
"""Of currencies that the venue calls otherwise."""
SIGNIFICANT_DIGITS: Final = 5
"""Of a price, in every market."""

_NAMES: Final = {code: name for name, code in CODES.items()}


def list_asset(asset: Asset) -> Listing:
    ticks = max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(asset.price)))
    lots = lot_decimals(asset.amount)
    symbol = symbol_of(asset.instrument)
    return Listing(asset.instrument, symbol, ticks, lots, ticks, lots, tradable=asset.tradable)


def symbol_of(instrument: str) -> str:
    """Return the symbol of an instrument: its codes are parted where either is long."""
    base, quote = (CODES.get(name, name) for name in instrument.split("-"))
    return f"t{base}{'' if len(base) == len(quote) == 3 else ':'}{quote}"


def instrument_of(pair: str) -> str:
    """Return the instrument of a pair as it is listed (`BTCUST`, `AAVE:USD`)."""
    base, _, quote = pair.partition(":") if ":" in pair else (pair[:3], "", pair[3:])
    return f"{_NAMES.get(base, base)}-{_NAMES.get(quote, quote)}"


def next_seq(previous: int, now_ns: int) -> int:
    """Return the next message's time in ms: books have no number of their own."""
    return max(previous + 1, now_ns // 1_000_000)
