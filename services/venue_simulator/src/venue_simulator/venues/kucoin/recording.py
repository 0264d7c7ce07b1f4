"""Recorded `/market/level2` frames of KuCoin, joined with the books that REST gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from venue_simulator.book import TextLevel
from venue_simulator.rebuilding import (
    PrintedLevels,
    Rebuilding,
    Recording,
    broken,
    parse_lines,
    read_parts,
    seed_time,
)
from venue_simulator.venues.kucoin.frames import DELTAS

__all__ = ["rebuild", "rebuild_books"]


class _Instrument(msgspec.Struct, rename="camel"):
    symbol: str
    base_currency: str
    quote_currency: str


class _Instruments(msgspec.Struct):
    data: list[_Instrument]


class _SeedBook(msgspec.Struct):
    sequence: str
    bids: PrintedLevels
    asks: PrintedLevels


class _Seed(msgspec.Struct):
    data: _SeedBook


class _Changes(msgspec.Struct):
    bids: PrintedLevels
    asks: PrintedLevels


class _Delta(msgspec.Struct, rename="camel"):
    symbol: str
    sequence_start: int
    sequence_end: int
    changes: _Changes


class _Push(msgspec.Struct):
    data: _Delta


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(*read_parts(folder, "KUCOIN"))


def rebuild_books(
    instruments: Iterable[str], seeds: Iterable[str], frames: Iterable[str]
) -> list[Recording]:
    """Rebuild books from the list of symbols, REST books and `level2` changes.

    Changes up to the seed are dropped, the first message applied straddles it, and each further one
    joins the last; a change of price 0 counts and changes nothing.

    Raises:
        ConfigError: a change is missing between the seed and the end.
    """
    names = {
        listed.symbol: f"{listed.base_currency}-{listed.quote_currency}"
        for line in parse_lines(instruments)
        for listed in msgspec.json.decode(line.text, type=_Instruments).data
    }
    deltas: dict[str, list[tuple[float, _Delta]]] = defaultdict(list)
    for line in parse_lines(frames):
        if line.received and f'"topic":"{DELTAS}:' in line.text:
            delta = msgspec.json.decode(line.text, type=_Push).data
            deltas[delta.symbol].append((line.at, delta))

    recordings = []
    for line in parse_lines(seeds):
        seed = msgspec.json.decode(line.text, type=_Seed).data
        symbol = parse_qs(urlsplit(line.url).query)["symbol"][0]
        last = int(seed.sequence)
        fresh = [(at, delta) for at, delta in deltas[symbol] if delta.sequence_end > last]
        book = Rebuilding("kucoin", names[symbol], symbol)
        book.apply(seed_time(line.at, fresh), last, seed.bids, seed.asks)
        for at, delta in fresh:
            if delta.sequence_start > last + 1:
                raise broken(book, f"no message holds the change {last + 1}")
            bids, asks = (_after(last, side) for side in (delta.changes.bids, delta.changes.asks))
            book.apply(at, delta.sequence_end, bids, asks)
            last = delta.sequence_end
        recordings.append(book.recording())
    return recordings


def _after(last: int, side: PrintedLevels) -> Iterator[TextLevel]:
    """Yield the levels that changes after number `last` set."""
    for price, amount, number in side:
        if int(number) > last and price != "0":
            yield price, amount
