"""Recorded whole depths of HTX (`depth.step0`); each is the book, with a rising `version`.

A frame is recorded as Python writes bytes.
"""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from venue_simulator.book import Levels
from venue_simulator.changes import changed_levels
from venue_simulator.rebuilding import Rebuilding, Recording, broken, parse_lines, plain, read_lines
from venue_simulator.venues.htx.frames import DEPTH_LEVELS

__all__ = ["read_frames", "rebuild", "rebuild_books"]


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(read_lines(folder, "HUOBI.0"), read_lines(folder, "HUOBI.ws.*"))


def read_frames(lines: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Yield when each frame of the sockets came, and its text."""
    for line in parse_lines(lines):
        if line.received:
            yield line.at, gzip.decompress(ast.literal_eval(line.text)).decode()


def rebuild_books(instruments: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the list of symbols and frames of `depth.step0`.

    A `version` that comes again shows the same book.

    Raises:
        ConfigError: it shows another, or a lower one follows.
    """
    names = {
        listed["symbol"]: f"{listed['base-currency']}-{listed['quote-currency']}".upper()
        for line in parse_lines(instruments)
        for listed in json.loads(line.text)["data"]
    }
    books: dict[str, Rebuilding] = {}
    for at, text in read_frames(frames):
        # Numbers as they were printed.
        push = json.loads(text, parse_float=Decimal)
        _, symbol, *topic = push.get("ch", "..").split(".")
        if topic != ["depth", "step0"]:
            continue
        book = books.setdefault(symbol, Rebuilding("htx", names[symbol], symbol))
        tick, known = push["tick"], book.best(DEPTH_LEVELS)
        shown = _levels(tick["bids"]), _levels(tick["asks"])
        if tick["version"] > book.venue_seq:
            changes = (changed_levels(was, now, "0") for was, now in zip(known, shown, strict=True))
            book.apply(at, tick["version"], *changes)
        elif (tick["version"], shown) != (book.venue_seq, known):
            raise broken(book, f"{tick['version']} comes after {book.venue_seq}, with another book")
    return [book.recording() for book in books.values()]


def _levels(levels: list[list[Decimal | int]]) -> Levels:
    return tuple((plain(price), plain(amount)) for price, amount in levels)
