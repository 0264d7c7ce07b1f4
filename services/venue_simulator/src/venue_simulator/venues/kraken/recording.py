"""Recorded books of Kraken's two sockets; each state is proven by its checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from venue_simulator.rebuilding import (
    PrintedLevels,
    Rebuilding,
    Recording,
    broken,
    parse_lines,
    read_lines,
)

__all__ = ["rebuild", "rebuild_old_socket", "rebuild_socket"]

CHECKSUM_LEVELS: Final = 10
OLD_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}


class _OldBook(msgspec.Struct):
    bids: PrintedLevels = msgspec.field(name="bs", default=())
    asks: PrintedLevels = msgspec.field(name="as", default=())
    new_bids: PrintedLevels = msgspec.field(name="b", default=())
    new_asks: PrintedLevels = msgspec.field(name="a", default=())
    checksum: str | None = msgspec.field(name="c", default=None)


class _Level(msgspec.Struct):
    """Numbers stay text: the checksum is over what was printed."""

    price: msgspec.Raw
    qty: msgspec.Raw

    def text(self) -> tuple[str, str]:
        return bytes(self.price).decode(), bytes(self.qty).decode()


class _Book(msgspec.Struct):
    symbol: str
    bids: list[_Level]
    asks: list[_Level]
    checksum: int
    timestamp: str


class _Subscription(msgspec.Struct):
    symbol: str
    depth: int


class _Frame(msgspec.Struct):
    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    result: _Subscription | None = None


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder` of either socket."""
    frames = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.ndjson")))
    return [
        *rebuild_old_socket(read_lines(folder, "KRAKEN.ws.*")),
        *chain.from_iterable(rebuild_socket(text.splitlines()) for text in frames),
    ]


def rebuild_old_socket(frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the frames of the first socket, `book-1000`, checking each checksum.

    A message has no id of its own: the latest time among its levels serves, in µs, and where that
    does not rise, one more than the last.

    Raises:
        ConfigError: a checksum does not hold.
    """
    books: dict[str, Rebuilding] = {}
    for line in parse_lines(frames):
        if not (line.received and line.text.startswith("[")):
            continue
        _, *parts, channel, pair = msgspec.json.decode(line.text, type=list[int | str | _OldBook])
        content = [part for part in parts if isinstance(part, _OldBook)]
        book = books.get(str(pair))
        if book is None:
            symbol = "/".join(OLD_NAMES.get(name, name) for name in str(pair).split("/"))
            depth = int(str(channel).removeprefix("book-"))
            book = books[str(pair)] = Rebuilding("kraken", symbol.replace("/", "-"), symbol, depth)
        bids = [level for part in content for level in (*part.bids, *part.new_bids)]
        asks = [level for part in content for level in (*part.asks, *part.new_asks)]
        time_us = max(int(level[2].replace(".", "")) for level in (*bids, *asks))
        book.apply(line.at, max(time_us, book.venue_seq + 1), bids, asks)
        for part in content:
            if part.checksum is not None:
                _verify(book, int(part.checksum))
    return [book.recording() for book in books.values()]


def rebuild_socket(frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the frames of the second socket, one JSON object a line, without times.

    Each message is placed at its own timestamp, which also serves as its id, in µs.

    Raises:
        ConfigError: a checksum does not hold.
    """
    depths: dict[str, int] = {}
    books: dict[str, Rebuilding] = {}
    for text in filter(str.strip, frames):
        frame = msgspec.json.decode(text, type=_Frame)
        if frame.result is not None:
            depths[frame.result.symbol] = frame.result.depth
        if frame.channel != "book":
            continue
        for content in msgspec.json.decode(frame.data, type=list[_Book]):
            symbol = content.symbol
            if frame.type == "snapshot":
                books[symbol] = Rebuilding(
                    "kraken", symbol.replace("/", "-"), symbol, depths[symbol]
                )
            book = books[symbol]
            at = datetime.fromisoformat(content.timestamp)
            time_us = int(at.timestamp()) * 1_000_000 + at.microsecond
            book.apply(
                time_us / 1e6,
                max(time_us, book.venue_seq + 1),
                [level.text() for level in content.bids],
                [level.text() for level in content.asks],
            )
            _verify(book, content.checksum)
    return [book.recording() for book in books.values()]


def _verify(book: Rebuilding, checksum: int) -> None:
    """Check Kraken's CRC32 over the printed text of the ten best asks, then bids."""
    bids, asks = book.best(CHECKSUM_LEVELS)
    text = "".join(number.replace(".", "").lstrip("0") for level in asks + bids for number in level)
    if zlib.crc32(text.encode()) != checksum:
        raise broken(book, f"the checksum {checksum} does not hold")
