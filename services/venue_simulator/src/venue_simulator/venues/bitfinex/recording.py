"""Recorded books of Bitfinex: snapshots and entries, on a socket whose frames are numbered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from venue_simulator.book import TextLevel
from venue_simulator.rebuilding import Rebuilding, Recording, broken, parse_lines, read_lines
from venue_simulator.venues.bitfinex.listing import instrument_of

__all__ = ["rebuild", "rebuild_books"]

_Entry = tuple[msgspec.Raw, int, msgspec.Raw]


class _Subscribed(msgspec.Struct, rename="camel"):
    event: str
    channel: str = ""
    chan_id: int = 0
    symbol: str = ""


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    return rebuild_books(read_lines(folder, "BITFINEX.0"), read_lines(folder, "BITFINEX.ws.*"))


def rebuild_books(instruments: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the list of pairs and the frames of one socket.

    A state has the time of its message, in ms, for a number; where that does not rise, one more
    than the last.

    Raises:
        ConfigError: a frame is missing: the numbers do not rise one by one.
    """
    pairs = {
        pair
        for line in parse_lines(instruments)
        if line.url.endswith("pub:list:pair:exchange")
        for pair in msgspec.json.decode(line.text, type=list[list[str]])[0]
    }
    books: dict[int, Rebuilding] = {}
    number = 0
    for line in parse_lines(frames):
        if not line.received:
            continue
        if line.text.startswith("{"):
            told = msgspec.json.decode(line.text, type=_Subscribed)
            if told.event == "subscribed" and told.channel == "book":
                name = instrument_of(told.symbol[1:])
                books[told.chan_id] = Rebuilding("bitfinex", name, told.symbol)
            continue
        channel, content, *_, last = map(
            bytes, msgspec.json.decode(line.text, type=list[msgspec.Raw])
        )
        number += 1
        book = books.get(int(channel))
        if int(last) != number and book is not None:
            raise broken(book, f"frame {number} is missing")
        if book is not None and not content.startswith(b'"'):
            bids, asks = _levels(content)
            book.apply(line.at, max(int(line.at * 1000), book.venue_seq + 1), bids, asks)
    return [book.recording() for book in books.values() if book.symbol[1:] in pairs]


def _levels(content: bytes) -> tuple[list[TextLevel], list[TextLevel]]:
    """Return the bids and asks of one entry, or of all in a snapshot, as they were printed."""
    several = content.startswith((b"[[", b"[]"))
    text = content if several else b"[" + content + b"]"
    bids: list[TextLevel] = []
    asks: list[TextLevel] = []
    for price, count, raw_amount in msgspec.json.decode(text, type=list[_Entry]):
        amount = bytes(raw_amount).decode()
        side = asks if amount.startswith("-") else bids
        side.append((bytes(price).decode(), amount.lstrip("-") if count else "0"))
    return bids, asks
