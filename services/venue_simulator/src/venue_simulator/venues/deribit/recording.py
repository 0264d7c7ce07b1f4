"""Recorded books of Deribit: snapshots and changes, each naming the one that it follows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from venue_simulator.book import Levels
from venue_simulator.rebuilding import Rebuilding, Recording, broken, parse_lines, plain, read_lines

__all__ = ["rebuild", "rebuild_books"]


def rebuild(folder: Path) -> list[Recording]:
    """Return what is recorded of spot markets in `folder`; see `rebuild_books`."""
    books = rebuild_books(read_lines(folder, "DERIBIT.0"), read_lines(folder, "DERIBIT.ws.*"))
    return [book for book in books if book.instrument]


def rebuild_books(instruments: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from lists of instruments and frames of `book`.

    Those of options and futures have no name of an instrument.

    Raises:
        ConfigError: a change does not follow its predecessor.
    """
    names = {
        listed["instrument_name"]: f"{listed['base_currency']}-{listed['quote_currency']}"
        for line in parse_lines(instruments)
        for listed in json.loads(line.text)["result"]
        if listed["kind"] == "spot"
    }
    books: dict[str, Rebuilding] = {}
    for line in parse_lines(frames):
        if not (line.received and '"params":{"channel":"book.' in line.text):
            continue
        # Numbers as they were printed.
        data = json.loads(line.text, parse_float=Decimal)["params"]["data"]
        symbol = data["instrument_name"]
        if data["type"] == "snapshot":
            books[symbol] = Rebuilding("deribit", names.get(symbol, ""), symbol)
        elif data["prev_change_id"] != books[symbol].venue_seq:
            raise broken(books[symbol], f"no change follows {books[symbol].venue_seq}")
        bids, asks = _levels(data["bids"]), _levels(data["asks"])
        books[symbol].apply(line.at, data["change_id"], bids, asks)
    return [book.recording() for book in books.values()]


def _levels(levels: list[tuple[str, Decimal | int, Decimal | int]]) -> Levels:
    return tuple((plain(price), plain(amount)) for _, price, amount in levels)
