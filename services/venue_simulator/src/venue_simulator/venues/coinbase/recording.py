"""Recorded books of Coinbase Exchange: a snapshot of each, then `l2update`s without numbers.

Nothing proves that none is missing. Times rise, several changes may have one, and until 2021
snapshots had none: a state's number is its time in µs, or one more than the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from venue_simulator.book import TextLevel
from venue_simulator.rebuilding import (
    PrintedLevels,
    Rebuilding,
    Recording,
    broken,
    parse_lines,
    read_parts,
)

__all__ = ["rebuild", "rebuild_books"]

BOOK_TYPES: Final = ('{"type":"snapshot"', '{"type":"l2update"')
SIDES: Final = ("buy", "sell")


class _Product(msgspec.Struct):
    id: str
    base_currency: str
    quote_currency: str


class _Message(msgspec.Struct):
    product_id: str
    bids: PrintedLevels | None = None
    asks: PrintedLevels = ()
    changes: tuple[tuple[str, str, str], ...] = ()
    time: datetime | None = None


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    products, _, frames = read_parts(folder, "COINBASE")
    return rebuild_books(products, frames)


def rebuild_books(products: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the list of products and frames of level 2.

    Raises:
        ConfigError: a change comes before the snapshot of its book, or its time goes back.
    """
    names = {
        listed.id: f"{listed.base_currency}-{listed.quote_currency}"
        for line in parse_lines(products)
        for listed in msgspec.json.decode(line.text, type=list[_Product])
    }
    books: dict[str, Rebuilding] = {}
    times: dict[str, int] = {}
    for line in parse_lines(frames):
        if not (line.received and line.text.startswith(BOOK_TYPES)):
            continue
        message = msgspec.json.decode(line.text, type=_Message)
        symbol = message.product_id
        time_us = 0 if message.time is None else round(message.time.timestamp() * 1e6)
        if message.bids is not None:
            book = books[symbol] = Rebuilding("coinbase", names[symbol], symbol)
            bids, asks = message.bids, message.asks
        elif symbol not in books:
            raise ValueError(f"a change of {symbol} comes before its snapshot")
        else:
            book = books[symbol]
            if time_us < times[symbol]:
                raise broken(book, f"the time {time_us} µs comes after {times[symbol]}")
            bids, asks = (_side(message, side) for side in SIDES)
        times[symbol] = time_us
        book.apply(line.at, max(time_us, book.venue_seq + 1), bids, asks)
    return [book.recording() for book in books.values()]


def _side(message: _Message, side: str) -> tuple[TextLevel, ...]:
    return tuple((price, size) for which, price, size in message.changes if which == side)
