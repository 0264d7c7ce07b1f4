"""A book and the best prices that a venue sends beside it, as one top of book. Pure.

Channels of books wait for their interval, channels of best prices do not: between two books the
best prices of the venue are newer than those of its last book. Both are counted alike, so that what
is ahead shows by its number:

    book at 5     bids 9 8 7 6        asks 10 11 12      shown: 9 8 7 6     10 11 12
    best at 6     bid 8.5             ask 10.5           shown: 8.5 8 7 6   10.5 11 12
    book at 7     bids 8.5 8 7 6      asks 10.5 11 12    shown as it is

Best prices that are ahead replace, on each side, the levels of the book that are no worse; all the
levels below them stay those of the book. A book that has come as far as the best prices stands for
itself. Nothing goes back: neither the best prices nor the levels below them.

A price that moves through levels takes them away, so books are read a few levels deeper than they
are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dragonfly_common.types import Level, Side
from msgspec.structs import replace

from dragonfly_venues.events import Bbo, BookTop, Broken

__all__ = ["ComposedTops", "composed"]

MOST_BEHIND: Final = 8
"""So many books, or best prices, that are behind the same best prices are not on their way: one of
the two counts anew, or its number was none."""


class _Ahead:
    """Best prices that no book has reached."""

    __slots__ = ("behind", "best")

    def __init__(self, best: Bbo) -> None:
        self.best = best
        self.behind = 0


class ComposedTops:
    """The tops of one connection, by symbol.

    `seq` is the number of the last frame of the book (`Decoder.seq`), also of one that
    changed nothing. What is returned is the new top; None where it is what was shown before.
    """

    def __init__(self, depth: int, shown: int) -> None:
        """Show the best `shown` levels; `depth` have books that say nothing of it themselves."""
        self._depth = depth
        self._shown_depth = shown
        self._uncut = shown == depth
        self._books: dict[str, BookTop] = {}
        self._shown: dict[str, BookTop] = {}
        self._ahead: dict[str, _Ahead] = {}

    @property
    def books(self) -> Mapping[str, BookTop]:
        """The books by themselves."""
        return self._books

    def is_ahead(self, symbol: str) -> bool:
        """Say whether the best prices of `symbol` are ahead of its book."""
        return symbol in self._ahead

    def on_book(self, top: BookTop) -> BookTop | Broken | None:
        """Take a changed book."""
        symbol = top.symbol
        if self._uncut and symbol not in self._ahead:
            self._books[symbol] = self._shown[symbol] = top
            return top
        before = self._books.get(symbol)
        self._books[symbol] = top
        if before is not None and top.venue_seq < before.venue_seq:
            # The venue counts anew: nothing is ahead of it yet.
            self._ahead.pop(symbol, None)
            self._shown.pop(symbol, None)
        if symbol in self._ahead:
            return self.on_same(symbol, top.venue_seq)
        return self._news(top)

    def on_same(self, symbol: str, seq: int) -> BookTop | Broken | None:
        """Take note that the book goes on to `seq` as it is known."""
        ahead = self._ahead.get(symbol)
        if ahead is None:
            return None
        if seq < ahead.best.venue_seq:
            ahead.behind += 1
            if ahead.behind >= MOST_BEHIND:
                return _recounted(symbol, "its books", seq, ahead)
            return self._show(symbol, seq)
        del self._ahead[symbol]
        return self._show(symbol, seq)

    def on_best(self, best: Bbo, seq: int) -> BookTop | Broken | None:
        """Take best prices."""
        symbol = best.symbol
        if symbol not in self._books or best.venue_seq <= seq:
            return None
        ahead = self._ahead.get(symbol)
        if ahead is not None and best.venue_seq <= ahead.best.venue_seq:
            ahead.behind += best.venue_seq < ahead.best.venue_seq
            if ahead.behind >= MOST_BEHIND:
                return _recounted(symbol, "its best prices", best.venue_seq, ahead)
            return None
        self._ahead[symbol] = _Ahead(best)
        return self._show(symbol, seq)

    def forget(self, symbol: str) -> None:
        """Drop all that is known of `symbol`: its next book is its first."""
        for known in (self._books, self._shown, self._ahead):
            known.pop(symbol, None)

    def _show(self, symbol: str, seq: int) -> BookTop | None:
        book, ahead = self._books[symbol], self._ahead.get(symbol)
        if book.venue_seq != seq:
            book = self._books[symbol] = replace(book, venue_seq=seq)
        return self._news(book if ahead is None else composed(book, ahead.best, self._depth))

    def _news(self, top: BookTop) -> BookTop | None:
        """Return what is shown of `top`, if that is not what was shown before."""
        if not self._uncut:
            depth = self._shown_depth
            proven = top.depth if top.depth is not None and top.depth < depth else None
            top = replace(top, bids=top.bids[:depth], asks=top.asks[:depth], depth=proven)
        shown = self._shown.get(top.symbol)
        self._shown[top.symbol] = top
        if shown is None or top.bids != shown.bids or top.asks != shown.asks:
            return top
        return None if top.depth == shown.depth else top


def composed(book: BookTop, best: Bbo, depth: int) -> BookTop:
    """Return `book` with `best`, which is newer; `depth` is the book's where it says none."""
    bids = _below(book.bids, best.bid, sign=-1.0)
    asks = _below(book.asks, best.ask, sign=1.0)
    proven = known = depth if book.depth is None else book.depth
    for before, after in ((book.bids, bids), (book.asks, asks)):
        # A side that was not cut is known to its end; an empty one is.
        if after and len(before) >= known:
            proven = min(proven, len(after))
    return BookTop(
        book.symbol,
        best.venue_seq,
        best.ts_event,
        bids[:proven],
        asks[:proven],
        None if proven == depth else proven,
        book.venue_seq,
    )


def _below(side: Side, best: Level | None, *, sign: float) -> Side:
    """Return `best` and the levels of `side` that are worse; nothing where there is no best."""
    if best is None:
        return ()
    worse = 0
    price = sign * best[0]
    for level in side:
        if sign * level[0] > price:
            break
        worse += 1
    return (best, *side[worse:])


def _recounted(symbol: str, what: str, seq: int, ahead: _Ahead) -> Broken:
    detail = f"{what} are at {seq}, {ahead.behind} times behind best prices at"
    return Broken(symbol, "reset", f"{detail} {ahead.best.venue_seq}")
