"""Recorded `@depth` deltas of Binance, joined with the books that REST gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from venue_simulator.rebuilding import (
    Part,
    PrintedLevels,
    Rebuilding,
    Recording,
    join,
    parse_lines,
    read_parts,
)

__all__ = ["rebuild", "rebuild_books"]


class _Instrument(msgspec.Struct):
    symbol: str
    base: str = msgspec.field(name="baseAsset")
    quote: str = msgspec.field(name="quoteAsset")


class _Instruments(msgspec.Struct):
    symbols: list[_Instrument]


class _Seed(msgspec.Struct):
    last_id: int = msgspec.field(name="lastUpdateId")
    bids: PrintedLevels
    asks: PrintedLevels


class _Delta(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    first_id: int = msgspec.field(name="U")
    last_id: int = msgspec.field(name="u")
    bids: PrintedLevels = msgspec.field(name="b")
    asks: PrintedLevels = msgspec.field(name="a")


class _Frame(msgspec.Struct):
    data: _Delta


def rebuild(folder: Path) -> Sequence[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(*read_parts(folder, "BINANCE"))


def rebuild_books(
    instruments: Iterable[str], seeds: Iterable[str], frames: Iterable[str]
) -> list[Recording]:
    """Rebuild books from `exchangeInfo`, REST depth seeds and `@depth` deltas.

    Follows "How to manage a local order book correctly" of web-socket-streams.md: deltas up to the
    seed are dropped, the first one applied straddles it, and each further one joins the last.

    Raises:
        ConfigError: a delta is missing between the seed and the end.
    """
    names = {
        symbol.symbol: f"{symbol.base}-{symbol.quote}"
        for line in parse_lines(instruments)
        for symbol in msgspec.json.decode(line.text, type=_Instruments).symbols
    }
    changes: dict[str, list[Part]] = defaultdict(list)
    for line in parse_lines(frames):
        if line.received and "@depth" in line.text[:64]:
            delta = msgspec.json.decode(line.text, type=_Frame).data
            changes[delta.symbol].append(
                Part(line.at, delta.first_id, delta.last_id, delta.bids, delta.asks)
            )

    recordings = []
    for line in parse_lines(seeds):
        seed = msgspec.json.decode(line.text, type=_Seed)
        symbol = parse_qs(urlsplit(line.url).query)["symbol"][0]
        begin = Part(line.at, seed.last_id, seed.last_id, seed.bids, seed.asks)
        book = Rebuilding("binance", names[symbol], symbol)
        recordings.append(join(book, begin, changes[symbol]))
    return recordings
