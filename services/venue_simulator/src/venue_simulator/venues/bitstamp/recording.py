"""Recorded `diff_order_book_` frames of Bitstamp, joined with the books that REST gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from venue_simulator.rebuilding import (
    PrintedLevels,
    Rebuilding,
    Recording,
    parse_lines,
    read_parts,
    seed_time,
)

__all__ = ["rebuild", "rebuild_books"]


class _Pair(msgspec.Struct):
    name: str
    symbol: str = msgspec.field(name="url_symbol")


class _Book(msgspec.Struct):
    microtimestamp: str
    bids: PrintedLevels
    asks: PrintedLevels

    @property
    def time_us(self) -> int:
        return int(self.microtimestamp)


class _Frame(msgspec.Struct):
    event: str
    channel: str
    data: msgspec.Raw


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(*read_parts(folder, "BITSTAMP"))


def rebuild_books(
    instruments: Iterable[str], seeds: Iterable[str], frames: Iterable[str]
) -> list[Recording]:
    """Rebuild books from `trading-pairs-info`, REST books and `diff_order_book_` frames.

    Frames up to the seed's microtimestamp are dropped, the rest applied in order: the venue sends
    nothing else that could show a loss.

    Raises:
        ConfigError: a microtimestamp does not rise.
    """
    names = {
        pair.symbol: pair.name.replace("/", "-")
        for line in parse_lines(instruments)
        for pair in msgspec.json.decode(line.text, type=list[_Pair])
    }
    deltas: dict[str, list[tuple[float, _Book]]] = defaultdict(list)
    for line in parse_lines(frames):
        if line.received and '"channel":"diff_order_book_' in line.text:
            frame = msgspec.json.decode(line.text, type=_Frame)
            if frame.event == "data":
                symbol = frame.channel.removeprefix("diff_order_book_")
                deltas[symbol].append((line.at, msgspec.json.decode(frame.data, type=_Book)))

    recordings = []
    for line in parse_lines(seeds):
        seed = msgspec.json.decode(line.text, type=_Book)
        symbol = urlsplit(line.url).path.rstrip("/").rpartition("/")[2]
        fresh = [(at, delta) for at, delta in deltas[symbol] if delta.time_us > seed.time_us]
        book = Rebuilding("bitstamp", names[symbol], symbol)
        book.apply(seed_time(line.at, fresh), seed.time_us, seed.bids, seed.asks)
        for at, delta in fresh:
            book.apply(at, delta.time_us, delta.bids, delta.asks)
        recordings.append(book.recording())
    return recordings
