"""The colours of what is drawn in a terminal."""

from __future__ import annotations

import zlib
from typing import Final

__all__ = [
    "ACCENT",
    "ASK",
    "BID",
    "BRIGHT",
    "FAINT",
    "LINE",
    "VENUE_COLOURS",
    "WARN",
    "venue_style",
]

BID: Final = "#2ebd85"
ASK: Final = "#f6465d"
WARN: Final = "#f0b90b"
BRIGHT: Final = "#e6edf3"
FAINT: Final = "#7d8590"
LINE: Final = "#30363d"
ACCENT: Final = "#39c5cf"

VENUE_COLOURS: Final = {
    "binance": "#f0b90b",
    "binanceus": "#d9a441",
    "bitfinex": "#9ccc65",
    "bitget": "#00d6e6",
    "bitstamp": "#3fa796",
    "bybit": "#ff9f1c",
    "coinbase": "#4d8dff",
    "coinbase_advanced": "#82aaff",
    "cryptocom": "#5c7cfa",
    "deribit": "#4fd1c5",
    "gateio": "#ef6c8f",
    "gemini": "#26c6ff",
    "htx": "#2f9bff",
    "kraken": "#8b7cf6",
    "kucoin": "#24ae8f",
    "okx": "#c9d1d9",
}
OTHER_COLOURS: Final = ("#58a6ff", "#ff7b72", "#d2a8ff", "#7ee787", "#ffa657", "#79c0ff")


def venue_style(venue: str) -> str:
    """Return the venue's colour: its own, or one that its name decides."""
    known = VENUE_COLOURS.get(venue)
    return known or OTHER_COLOURS[zlib.crc32(venue.encode()) % len(OTHER_COLOURS)]
