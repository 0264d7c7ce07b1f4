"""Recorded books of Advanced Trade: `l2_data`, proven by the numbers of their connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from dragonfly_common.errors import ConfigError

from venue_simulator.book import TextLevel
from venue_simulator.rebuilding import Rebuilding, Recording, parse_lines, read_parts

__all__ = ["rebuild", "rebuild_books"]


class _Product(msgspec.Struct):
    product_id: str
    base_currency_id: str
    quote_currency_id: str


class _Products(msgspec.Struct):
    products: list[_Product]


class _Level(msgspec.Struct):
    side: str
    price_level: str
    new_quantity: str


class _Event(msgspec.Struct):
    type: str = ""
    product_id: str = ""
    updates: tuple[_Level, ...] = ()

    def side(self, name: str) -> list[TextLevel]:
        """Return the levels of one side."""
        return [(one.price_level, one.new_quantity) for one in self.updates if one.side == name]


class _Message(msgspec.Struct):
    channel: str
    sequence_num: int
    timestamp: datetime
    events: list[_Event]


def rebuild(folder: Path) -> list[Recording]:
    """Rebuild what is recorded in `folder`; see `rebuild_books`."""
    products, _, frames = read_parts(folder, "COINBASE_ADVANCED")
    return rebuild_books(products, frames)


def rebuild_books(products: Iterable[str], frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the list of products and all frames of one connection.

    A state's number is the time of its message in µs, or one more than the last.

    Raises:
        ConfigError: a message is missing.
    """
    names = {
        listed.product_id: f"{listed.base_currency_id}-{listed.quote_currency_id}"
        for line in parse_lines(products)
        for listed in msgspec.json.decode(line.text, type=_Products).products
    }
    books: dict[str, Rebuilding] = {}
    due = 0
    for line in parse_lines(frames):
        if not line.received:
            continue
        message = msgspec.json.decode(line.text, type=_Message)
        if message.sequence_num != due:
            raise ConfigError(
                "the recording of coinbase_advanced is broken: the message "
                f"{message.sequence_num} comes where {due} is due; record it again"
            )
        due += 1
        time_us = round(message.timestamp.timestamp() * 1e6)
        for event in message.events if message.channel == "l2_data" else ():
            symbol = event.product_id
            if event.type == "snapshot":
                books[symbol] = Rebuilding("coinbase_advanced", names[symbol], symbol)
            book = books[symbol]
            number = max(time_us, book.venue_seq + 1)
            book.apply(line.at, number, event.side("bid"), event.side("offer"))
    return [book.recording() for book in books.values()]
