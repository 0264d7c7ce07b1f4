"""Recorded `spot.order_book_update` messages of Gate.io, joined with the books that REST gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final
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
from venue_simulator.venues.gateio.frames import UPDATES

__all__ = ["rebuild", "rebuild_books"]

WINDOW: Final = 100
"""Levels a side that the channel covers."""


class _Pair(msgspec.Struct):
    id: str
    base: str
    quote: str


class _Seed(msgspec.Struct):
    id: int
    bids: PrintedLevels
    asks: PrintedLevels


class _Changes(msgspec.Struct):
    s: str
    U: int
    u: int
    b: PrintedLevels
    a: PrintedLevels


class _Push(msgspec.Struct):
    result: _Changes


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(*read_parts(folder, "GATEIO"))


def rebuild_books(
    pairs: Iterable[str], seeds: Iterable[str], frames: Iterable[str]
) -> list[Recording]:
    """Rebuild books from the list of pairs, REST books and their changes.

    Changes up to the seed are dropped, the first one applied straddles it, and each further one
    joins the last.

    Raises:
        ConfigError: a change is missing between the seed and the end.
    """
    names = {
        pair.id: f"{pair.base}-{pair.quote}"
        for line in parse_lines(pairs)
        for pair in msgspec.json.decode(line.text, type=list[_Pair])
    }
    changes: dict[str, list[Part]] = defaultdict(list)
    for line in parse_lines(frames):
        if line.received and f'"channel":"{UPDATES}","event":"update"' in line.text:
            push = msgspec.json.decode(line.text, type=_Push).result
            changes[push.s].append(Part(line.at, push.U, push.u, push.b, push.a))

    recordings = []
    for line in parse_lines(seeds):
        seed = msgspec.json.decode(line.text, type=_Seed)
        pair = parse_qs(urlsplit(line.url).query)["currency_pair"][0]
        begin = Part(line.at, seed.id, seed.id, seed.bids, seed.asks)
        book = Rebuilding("gateio", names[pair], pair, WINDOW)
        recordings.append(join(book, begin, changes[pair]))
    return recordings
