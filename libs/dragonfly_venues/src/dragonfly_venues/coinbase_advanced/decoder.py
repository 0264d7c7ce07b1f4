"""Frames of Coinbase Advanced Trade: books as Coinbase Exchange's, each frame numbered.

{"channel":"l2_data","client_id":"","timestamp":"2026-09-30T12:00:00.123456789Z",
 "sequence_num":7,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid",
 "event_time":"…","price_level":"68900","new_quantity":"1.5"}]}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.coinbase.decoder import StampedDecoder
from dragonfly_venues.coinbase_advanced.control import Number, understand
from dragonfly_venues.decoding.delta_books import ConnectionSequence
from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.shapes import Amount, Price, Symbol
from dragonfly_venues.decoding.times import Time
from dragonfly_venues.events import Event, WholeBook

__all__ = ["CoinbaseAdvancedDecoder", "CoinbaseAdvancedSequence"]

_BOOKS: Final = b'{"channel":"l2_data"'


class CoinbaseAdvancedSequence(ConnectionSequence):
    """Its rules. Source: docs.cdp.coinbase.com, "Advanced Trade WebSocket", "Sequence Numbers".

    1. The first message of a connection has the `sequence_num` 0.
    2. Each further one, of whatever channel and product, has one more.
    3. Any other number means that a message was lost, of which book is unknown: each is subscribed
       anew. A frame that cannot be read is found out by its successor's number.
    """


class _Change(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: Price
    new_quantity: Amount


class _Book(msgspec.Struct):
    type: Literal["snapshot", "update"]
    product_id: Symbol
    updates: tuple[_Change, ...] = ()


class _Push(msgspec.Struct):
    sequence_num: Number
    events: tuple[_Book, ...]
    timestamp: Time | None = None


_PUSHES: Final = msgspec.json.Decoder(_Push, strict=False)


class CoinbaseAdvancedDecoder(StampedDecoder):
    """The decoder of one connection to Coinbase Advanced Trade."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        self._sequence = CoinbaseAdvancedSequence(first=0)

    def decode(self, frame: bytes, _: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what `frame` says; see `Decoder`."""
        if not frame.startswith(_BOOKS):
            number, events = understand(frame)
            return events if number is None else (*self._take(number), *events)
        push = read(_PUSHES, frame)
        said = [*self._take(push.sequence_num)]
        for book in push.events if len(push.events) == 1 else _joined(push.events):
            take = self.begin if book.type == "snapshot" else self.go_on
            bids, asks = _side(book, "bid"), _side(book, "offer")
            said += take(book.product_id, bids, asks, push.timestamp)
        return said

    def _take(self, number: int) -> Sequence[Event]:
        gap = self._sequence.take(number)
        return () if gap is None else self.lose(gap)


def _joined(events: Iterable[_Book]) -> Sequence[_Book]:
    """Return events without further ones of the same book: between them it is of no moment."""
    joined: list[_Book] = []
    places: dict[str, int] = {}
    for event in events:
        at = places.get(event.product_id)
        if at is not None and event.type == joined[at].type == "update":
            updates = joined[at].updates + event.updates
            joined[at] = _Book("update", event.product_id, updates)
        else:
            places[event.product_id] = len(joined)
            joined.append(event)
    return joined


def _side(book: _Book, side: str) -> Side:
    return tuple([(one.price_level, one.new_quantity) for one in book.updates if one.side == side])
