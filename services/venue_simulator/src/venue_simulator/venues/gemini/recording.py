"""Recorded `l2_updates` of Gemini's older socket: a whole book for each symbol, then its changes.

Only whole books have trades beside them, and come anew where a symbol is subscribed anew.
They have neither numbers nor checksums: only that no book is crossed speaks for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from venue_simulator.rebuilding import Rebuilding, Recording, parse_lines, read_lines

__all__ = ["rebuild", "rebuild_books"]

UPDATES: Final = '{"type":"l2_updates"'
DETAILS: Final = "/v1/symbols/details/"

_US_PER_S: Final = 1_000_000


class _Details(msgspec.Struct):
    symbol: str
    base_currency: str
    quote_currency: str


class _Updates(msgspec.Struct):
    symbol: str
    changes: tuple[tuple[str, str, str], ...]
    trades: list[msgspec.Raw] | None = None


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(read_lines(folder, "GEMINI.0"), read_lines(folder, "GEMINI.ws.*"))


def rebuild_books(details: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the details of symbols and their messages, of which the first is whole.

    A state has the time of its message, in µs, for a number; where that does not rise, one more
    than the last.
    """
    names = {
        said.symbol: f"{said.base_currency}-{said.quote_currency}"
        for line in parse_lines(details)
        if DETAILS in line.url
        for said in (msgspec.json.decode(line.text, type=_Details),)
    }
    books: dict[str, Rebuilding] = {}
    for line in parse_lines(frames):
        if not (line.received and line.text.startswith(UPDATES)):
            continue
        message = msgspec.json.decode(line.text, type=_Updates)
        symbol = message.symbol
        if message.trades is not None:
            books[symbol] = Rebuilding("gemini", names[symbol], symbol.lower())
        book = books[symbol]
        bids, asks = (
            [(price, amount) for side, price, amount in message.changes if side == wanted]
            for wanted in ("buy", "sell")
        )
        book.apply(line.at, max(int(line.at * _US_PER_S), book.venue_seq + 1), bids, asks)
    return [book.recording() for book in books.values()]
