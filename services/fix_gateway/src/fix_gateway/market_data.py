"""Views as market data of FIX: whole (W), by difference (X), and venues' states (f). Pure.

What is the same for all customers is made once per state of a view and depth: `SharedView.form`
keeps it. Per customer are only the header, the request's id (262), and which state it has.

A level is an entry. Its key is side, venue and price (269, 282, 270); side and price where venues
are merged. A difference tells sizes and conditions that changed: an entry whose venue only said
the same again, under a newer sequence (299), is not told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Final, NamedTuple

from dragonfly_common.errors import DecodeError
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_common.topics import ViewKind
from dragonfly_fix.timestamps import format_timestamp
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf import message as protobuf

__all__ = [
    "ASKS",
    "BIDS",
    "KINDS",
    "STATUSES",
    "FixBook",
    "Render",
    "VenueWord",
    "number",
    "renderer",
    "status",
    "venue_name",
]

BIDS: Final = b"0"
ASKS: Final = b"1"

_OPEN: Final = b"A"
_OPEN_AND_CROSSED: Final = b"A F"

Render = Callable[[bytes], "FixBook"]
_Key = tuple[bytes, bytes, bytes]
_View = pb.Book | pb.Bbo | pb.Liquidity
_MESSAGES: Final[Mapping[ViewKind, type[_View]]] = {
    ViewKind.BOOK: pb.Book,
    ViewKind.BBO: pb.Bbo,
    ViewKind.LIQUIDITY: pb.Liquidity,
}
KINDS: Final = tuple(_MESSAGES)
"""The kinds of views that FIX has messages for."""


class _Entry(NamedTuple):
    """One level: what a difference compares, and its fields behind 269 and the symbol."""

    content: tuple[bytes, bytes, int]
    fields: bytes


class FixBook:
    """One state of one view at one depth."""

    __slots__ = ("_after", "_symbol", "entries", "sequences", "whole")

    def __init__(
        self, symbol: str, entries: dict[_Key, _Entry], sequences: Mapping[bytes, bytes]
    ) -> None:
        """`sequences` is the field 299 of each venue, by its name in 282."""
        self._symbol = b"55=%b\x01" % symbol.encode()
        self.entries = entries
        self.sequences = sequences
        self.whole = b"268=%d\x01%b" % (
            len(entries),
            b"".join([b"269=%b\x01%b" % (key[0], entry.fields) for key, entry in entries.items()]),
        )
        self._after: tuple[FixBook, bytes] | None = None

    def snapshot(self, request: bytes) -> bytes:
        """Return the body of a MarketDataSnapshotFullRefresh (W) for a request's id."""
        return b"%b262=%b\x01%b" % (self._symbol, request, self.whole)

    def refresh(self, request: bytes, before: FixBook) -> bytes:
        """Return the body of a MarketDataIncrementalRefresh (X); empty where nothing changed."""
        # Most customers were sent the same state before.
        if self._after is None or self._after[0] is not before:
            self._after = (before, self._changes(before))
        changes = self._after[1]
        return b"262=%b\x01%b" % (request, changes) if changes else b""

    def _changes(self, before: FixBook) -> bytes:
        symbol = self._symbol
        told = [
            b"279=2\x01269=%b\x01%b%b" % (key[0], symbol, self._deleted(key))
            for key in before.entries
            if key not in self.entries
        ]
        for key, entry in self.entries.items():
            old = before.entries.get(key)
            if old is None or old.content != entry.content:
                action = b"0" if old is None else b"1"
                told.append(b"279=%b\x01269=%b\x01%b%b" % (action, key[0], symbol, entry.fields))
        return b"268=%d\x01%b" % (len(told), b"".join(told)) if told else b""

    def _deleted(self, key: _Key) -> bytes:
        _, venue, price = key
        if not venue:
            return b"270=%b\x01" % price
        return b"270=%b\x01282=%b\x01%b" % (price, venue, self.sequences.get(venue, b""))


def renderer(kind: ViewKind, sides: bytes) -> Render:
    """Return what makes a `FixBook` of an encoded view; the same function for the same arguments.

    `sides` has BIDS, ASKS or both.
    """
    return _RENDERERS[kind, sides]


def _render(kind: ViewKind, sides: bytes, body: bytes) -> FixBook:
    view = _decode(kind, body)
    if isinstance(view, pb.Liquidity):
        merged = {BIDS: view.bids, ASKS: view.asks}
        return FixBook(
            view.instrument,
            {
                (side, b"", price): _merged_entry(price, level)
                for side, levels in merged.items()
                if side in sides
                for level in levels
                for price in (number(level.price),)
            },
            {},
        )
    condition = _OPEN
    if isinstance(view, pb.Bbo):
        bids = [view.bid] if view.HasField("bid") else []
        asks = [view.ask] if view.HasField("ask") else []
        if bids and asks and view.bid.price > view.ask.price:
            condition = _OPEN_AND_CROSSED
    else:
        bids, asks = list(view.bids), list(view.asks)
    feeds = {(feed.instrument, feed.venue): _Feed(feed) for feed in view.venues}
    entries: dict[_Key, _Entry] = {}
    for side, levels in ((BIDS, bids), (ASKS, asks)):
        if side in sides:
            _add_side(entries, side, levels, feeds, condition)
    return FixBook(view.instrument, entries, {feed.venue: feed.best_seq for feed in feeds.values()})


_RENDERERS: Final[Mapping[tuple[ViewKind, bytes], Render]] = {
    (kind, sides): partial(_render, kind, sides)
    for kind in KINDS
    for sides in (BIDS, ASKS, BIDS + ASKS)
}


class _Feed:
    """What the entries of one venue have in common."""

    def __init__(self, feed: pb.VenueFeed) -> None:
        self.venue = venue_name(feed.venue)
        self.best_seq = _sequence(feed.venue_seq)
        self.book_seq = _sequence(feed.book_seq or feed.venue_seq)
        at = feed.ts_event if feed.HasField("ts_event") else feed.ts_recv
        day, _, time = format_timestamp(at).partition(b"-") if at > 0 else (b"", b"", b"")
        self.when = b"272=%b\x01273=%b\x01" % (day, time) if day else b""


def _add_side(
    entries: dict[_Key, _Entry],
    side: bytes,
    levels: Iterable[pb.Level],
    feeds: Mapping[tuple[str, str], _Feed],
    condition: bytes,
) -> None:
    seen: set[tuple[str, str]] = set()
    amounts: dict[_Key, float] = {}
    for level in levels:
        of = (level.instrument, level.venue)
        feed = feeds.get(of) or _Feed(pb.VenueFeed(venue=level.venue))
        price, amount = number(level.price), level.amount
        key = (side, feed.venue, price)
        if key in amounts:  # of two instruments that are taken for one market
            amount = float(Decimal(repr(amounts[key])) + Decimal(repr(amount)))
        amounts[key] = amount
        size = number(amount)
        # Below a venue's best prices, its book may be behind them.
        sequence = feed.book_seq if of in seen else feed.best_seq
        seen.add(of)
        entries[key] = _Entry(
            (size, condition, 0),
            b"270=%b\x01271=%b\x01%b276=%b\x01282=%b\x01%b"
            % (price, size, feed.when, condition, feed.venue, sequence),
        )


def _merged_entry(price: bytes, level: pb.MergedLevel) -> _Entry:
    size, venues = number(level.amount), len({share.venue for share in level.shares})
    return _Entry(
        (size, _OPEN, venues),
        b"270=%b\x01271=%b\x01276=%b\x01346=%d\x01" % (price, size, _OPEN, venues),
    )


class VenueWord(NamedTuple):
    """What a view says of one venue."""

    venue: bytes
    """As in 207."""
    trading_status: bytes
    """SecurityTradingStatus (326)."""
    reason: bytes
    """Text (58); may be empty."""


_TRADING_STATUS: Final[Mapping[int, bytes]] = {
    pb.STATE_LIVE: b"17",  # ready to trade
    pb.STATE_SYNCING: b"21",  # pre-open
    pb.STATE_STALE: b"2",  # halt
    pb.STATE_HALTED: b"2",
    pb.STATE_DOWN: b"18",  # not available
    pb.STATE_UNKNOWN: b"19",  # not traded on this market
}
_OTHER_STATUS: Final = b"20"


def _statuses(kind: ViewKind, body: bytes) -> tuple[VenueWord, ...]:
    return tuple(
        VenueWord(
            venue_name(feed.venue),
            _TRADING_STATUS.get(feed.state, _OTHER_STATUS),
            printable(feed.reason, LONGEST_SENTENCE).encode(),
        )
        for feed in _decode(kind, body).venues
    )


STATUSES: Final[Mapping[ViewKind, Callable[[bytes], tuple[VenueWord, ...]]]] = {
    kind: partial(_statuses, kind) for kind in KINDS
}
"""What makes venues' states of an encoded view, by its kind."""


def status(
    request: bytes, symbol: bytes, word: VenueWord, now_ns: int, *, unsolicited: bool
) -> bytes:
    """Return the body of a SecurityStatus (f) for a request's id (324)."""
    return b"324=%b\x0155=%b\x01207=%b\x01325=%b\x01326=%b\x0160=%b\x01%b" % (
        request,
        symbol,
        word.venue,
        b"Y" if unsolicited else b"N",
        word.trading_status,
        format_timestamp(now_ns),
        b"58=%b\x01" % word.reason if word.reason else b"",
    )


@lru_cache(maxsize=1024)
def venue_name(name: str) -> bytes:
    """Return a venue's name as FIX has it: upper case."""
    return re.sub("[^A-Z0-9_]", "_", name.upper()).encode() or b"_"


def number(value: float) -> bytes:
    """Return a price or an amount as FIX has it: all its digits, and no exponent."""
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2].encode()
    return (format(Decimal(text), "f") if "e" in text else text).encode()


def _sequence(number: int) -> bytes:
    return b"299=%d\x01" % number if number else b""


def _decode(kind: ViewKind, body: bytes) -> _View:
    try:
        return _MESSAGES[kind].FromString(body)
    except protobuf.DecodeError:
        raise DecodeError("bad_view", f"no {kind}") from None
