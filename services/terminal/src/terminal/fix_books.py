"""Messages of FIX as the books that a ladder shows. Pure.

A MarketDataSnapshotFullRefresh (W) is a whole book, a MarketDataIncrementalRefresh (X) what changed
in it, a SecurityStatus (f) the state of one venue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from dragonfly_client.messages import Book, Level, State, VenueFeed
from dragonfly_fix.codec import Field, FixMessage
from dragonfly_fix.timestamps import parse_timestamp

__all__ = ["FixBooks", "entries", "text_of"]

BID: Final = b"0"
ASK: Final = b"1"
DELETED: Final = b"2"
STATES: Final = {
    b"17": State.LIVE,
    b"21": State.SYNCING,
    b"2": State.STALE,
    b"18": State.DOWN,
    b"19": State.UNKNOWN,
}
"""By SecurityTradingStatus (326)."""


class _Entry(NamedTuple):
    """One level."""

    amount: Decimal
    venues: str
    """NumberOfOrders (346), which counts the venues of a merged level."""
    sequence: int
    at_ns: int | None


class _Key(NamedTuple):
    side: bytes
    venue: str
    price: Decimal


class FixBooks:
    """The newest book of each instrument."""

    def __init__(self) -> None:
        self.updates: Counter[str] = Counter()
        """Of each venue, how often it was newer."""
        self._books: dict[str, dict[_Key, _Entry]] = {}
        self._feeds: dict[str, dict[str, VenueFeed]] = {}

    def clear(self) -> None:
        """Forget all: the session is over."""
        self._books.clear()
        self._feeds.clear()

    def take(self, message: FixMessage, now_ns: int) -> list[Book]:
        """Take a message; return the books that it changed.

        Raises:
            ValueError: a number is none, or a difference is of an entry that there is not.
        """
        match message.type:
            case b"W":
                names = {text_of(message, 55)}
                self._books[text_of(message, 55)] = {
                    _key(entry): _entry(entry) for entry in entries(message, 269)
                }
            case b"X":
                names = set(self._change(message))
            case b"f":
                names = {text_of(message, 55)}
                self._say(message)
            case _:
                names = set()
        return [self._book(name, now_ns) for name in sorted(names)]

    def _change(self, message: FixMessage) -> Iterator[str]:
        symbol = ""
        for entry in entries(message, 279):
            symbol = _text(entry, 55) or symbol
            book, key = self._books.setdefault(symbol, {}), _key(entry)
            if _text(entry, 279).encode() == DELETED:
                if book.pop(key, None) is None:
                    raise ValueError(f"{symbol}: what is deleted at {key.price} was not there")
            else:
                book[key] = _entry(entry)
            yield symbol

    def _say(self, message: FixMessage) -> None:
        venue, feeds = text_of(message, 207).lower(), self._feeds_of(text_of(message, 55))
        state = STATES.get(message.get(326) or b"", State.UNSPECIFIED)
        known = feeds.get(venue) or _feed(venue)
        feeds[venue] = replace(known, state=state, reason=text_of(message, 58))

    def _book(self, name: str, now_ns: int) -> Book:
        book, feeds = self._books.get(name, {}), self._feeds_of(name)
        for key, entry in book.items():
            self._note(feeds, key.venue, entry, now_ns)
        bids, asks = _levels(book, BID), _levels(book, ASK)
        best = [key.price for levels in (asks, bids) for key, _ in levels[:1]]
        return Book(
            instrument=name,
            bids=tuple(map(_level, bids)),
            asks=tuple(map(_level, asks)),
            spread=float(best[0] - best[1]) if len(best) == 2 else 0.0,
            venues=tuple(feeds[venue] for venue in sorted(feeds)),
            was_live=bool(book) or any(feed.state is State.LIVE for feed in feeds.values()),
            epoch=0,
            seq=0,
            ts_agg=now_ns,
            replaced=0,
            ts_out=now_ns,
            ts_in=now_ns,
        )

    def _feeds_of(self, name: str) -> dict[str, VenueFeed]:
        return self._feeds.setdefault(name, {})

    def _note(self, feeds: dict[str, VenueFeed], venue: str, entry: _Entry, now_ns: int) -> None:
        """Take from an entry what it says of its venue."""
        known = feeds.get(venue) or _feed(venue)
        if venue and entry.sequence > known.venue_seq:
            self.updates[venue] += 1
            at_ns = now_ns if entry.at_ns is None else entry.at_ns
            feeds[venue] = replace(known, venue_seq=entry.sequence, ts_recv=at_ns)


def entries(message: FixMessage, first: int) -> Iterator[Sequence[Field]]:
    """Yield the entries of a message's group, each of which begins with the field `first`."""
    entry: list[Field] = []
    for field in message.fields:
        if field[0] == first:
            if entry:
                yield entry
            entry = [field]
        elif entry:
            entry.append(field)
    if entry:
        yield entry


def text_of(message: FixMessage, tag: int) -> str:
    """Return a field's value as text, empty where there is none."""
    return (message.get(tag) or b"").decode(errors="replace")


def _text(entry: Sequence[Field], tag: int) -> str:
    return next((value.decode(errors="replace") for found, value in entry if found == tag), "")


def _key(entry: Sequence[Field]) -> _Key:
    return _Key(_text(entry, 269).encode(), _text(entry, 282).lower(), _decimal(_text(entry, 270)))


def _entry(entry: Sequence[Field]) -> _Entry:
    day, time, sequence = _text(entry, 272), _text(entry, 273), _text(entry, 299)
    return _Entry(
        _decimal(_text(entry, 271)),
        _text(entry, 346),
        int(sequence) if sequence.isdecimal() else 0,
        parse_timestamp(f"{day}-{time}".encode()) if day and time else None,
    )


def _levels(book: Mapping[_Key, _Entry], side: bytes) -> list[tuple[_Key, _Entry]]:
    """Return one side, its best level first."""
    sign = -1 if side == BID else 1
    found = [(key, entry) for key, entry in book.items() if key.side == side]
    return sorted(found, key=lambda level: (sign * level[0].price, -level[1].amount))


def _level(of: tuple[_Key, _Entry]) -> Level:
    key, entry = of
    venues = f"{entry.venues} venue{'s' * (entry.venues != '1')}"
    return Level(key.venue or venues, float(key.price), float(entry.amount))


def _feed(venue: str) -> VenueFeed:
    """Return a venue of which no entry has said when it changed: none of a merged book does."""
    return VenueFeed(venue, State.LIVE, "", 0, 0, None, None, None)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is no number") from None
