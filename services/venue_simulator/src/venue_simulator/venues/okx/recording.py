"""Recorded books of OKX: snapshots and updates, each state proven by its number or its checksum.

Until 2022 updates had no numbers and a checksum that held; since 2026 the checksum is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from venue_simulator.checksums import CHECKSUM_LEVELS, interleaved_crc32
from venue_simulator.rebuilding import (
    PrintedLevels,
    Rebuilding,
    Recording,
    broken,
    parse_lines,
    read_lines,
)

__all__ = ["rebuild", "rebuild_books"]

WINDOW: Final = 400
PUSH: Final = '{"arg":{"channel":"books"'


class _Instrument(msgspec.Struct, rename="camel"):
    inst_id: str
    base_ccy: str
    quote_ccy: str


class _Instruments(msgspec.Struct):
    data: list[_Instrument]


class _Arg(msgspec.Struct, rename="camel"):
    inst_id: str


class _Book(msgspec.Struct, rename="camel"):
    bids: PrintedLevels
    asks: PrintedLevels
    ts: str
    checksum: int = 0
    seq_id: int | None = None
    prev_seq_id: int | None = None


class _Push(msgspec.Struct):
    arg: _Arg
    action: str
    data: list[_Book]


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(read_lines(folder, "OKX.0"), read_lines(folder, "OKX.ws.*"))


def rebuild_books(instruments: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the list of spot markets and frames of `books`.

    Every book is verified, and those of spot markets are returned. A book without numbers has the
    time of its messages, in ms, for one; where that does not rise, one more than the last.

    Raises:
        ConfigError: an update does not follow its predecessor, or a checksum does not hold.
    """
    names = {
        listed.inst_id: f"{listed.base_ccy}-{listed.quote_ccy}"
        for line in parse_lines(instruments)
        if "instType=SPOT" in line.url
        for listed in msgspec.json.decode(line.text, type=_Instruments).data
    }
    books: dict[str, Rebuilding] = {}
    last: dict[str, int | None] = {}
    for line in parse_lines(frames):
        if not (line.received and line.text.startswith(PUSH)):
            continue
        push = msgspec.json.decode(line.text, type=_Push)
        symbol, (message,) = push.arg.inst_id, push.data
        if push.action == "snapshot":
            books[symbol] = Rebuilding("okx", names.get(symbol, ""), symbol, WINDOW)
        elif message.prev_seq_id != last[symbol]:
            raise broken(books[symbol], f"no update follows the number {last[symbol]}")
        last[symbol] = message.seq_id
        book = books[symbol]
        number = int(message.ts) if message.seq_id is None else message.seq_id
        book.apply(line.at, max(number, book.venue_seq + 1), message.bids, message.asks)
        if message.checksum:
            _verify(book, message.checksum)
    return [book.recording() for symbol, book in books.items() if symbol in names]


def _verify(book: Rebuilding, checksum: int) -> None:
    if interleaved_crc32(*book.best(CHECKSUM_LEVELS)) != checksum:
        raise broken(book, f"the checksum {checksum} does not hold")
