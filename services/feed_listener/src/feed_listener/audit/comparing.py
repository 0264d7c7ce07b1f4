"""Comparison of a published book with the venue's other words on it. Pure: time is a parameter.

An audit compares only what is of one moment by the venue's own sequence:

`checksum`  The venue's checksum of the book, verified by the decoder at each message.
`bbo`       The venue's best bid and ask. They hold until the next ones: the book of sequence L must
            show the newest that are not newer than L. Whether there are newer ones not newer than L
            is known as soon as one comes that is newer, or is L itself.
`snapshot`  A whole book from REST, against the state of the same sequence; or, where the book does
            not reach that within `BEHIND_S`, against what then still stands as the book.
`silence`   A whole book from REST that is not older, against a book whose stream is silent. Where
            REST's books have no number, by their prices: amounts may be rounded there.

A book that stands still while the best bid and ask move away from it for `BEHIND_S`, or for as long
as it never rests (`feed_listener.rhythm`), disagrees too.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import zip_longest
from typing import Final

import msgspec
from dragonfly_common.types import Level
from dragonfly_venues.events import Bbo, BookTop

__all__ = [
    "BEHIND_S",
    "FAULT_AFTER",
    "NOT_COMPARABLE",
    "Audit",
    "Audits",
    "Result",
    "Verdict",
    "Watch",
    "judge_silent",
]

BEHIND_S: Final = 2.0
"""Twenty times what the slowest book channel takes to follow the market."""

FAULT_AFTER: Final = 3
"""So many disagreements of one kind in a row, none agreed between them, are a fault. One alone may
be the venue's: best prices left out, or a cached reply; what is wrong here stays wrong. One of a
silence is: it was confirmed."""

EPISODE_S: Final = 60.0
"""A disagreement this long after the last one is told anew."""


class Audit(StrEnum):
    """A kind of comparison; the value is a counter label."""

    CHECKSUM = "checksum"
    BBO = "bbo"
    SNAPSHOT = "snapshot"
    SILENCE = "silence"


class Result(StrEnum):
    """The result of a comparison; the value is a counter label."""

    AGREED = "agreed"
    DISAGREED = "disagreed"
    NOT_COMPARABLE = "not_comparable"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """A result; `detail` shows both sides where they disagree."""

    result: Result
    detail: str = ""


_AGREED: Final = Verdict(Result.AGREED)
NOT_COMPARABLE: Final = Verdict(Result.NOT_COMPARABLE)

_Best = tuple[Level | None, Level | None]


class _BestPrices:
    """One symbol's best bid and ask as the venue last said them, and the book beside them."""

    __slots__ = ("apart_since", "best", "judged", "seq", "stands_at")

    def __init__(self) -> None:
        self.seq = -1
        self.best: _Best = (None, None)
        self.judged = -1
        """The book's sequence that was judged last."""
        self.stands_at = -1
        """The book's sequence when `apart_since` was set."""
        self.apart_since: float | None = None

    def judge(self, bbo: Bbo, book_seq: int, top: BookTop, now: float, behind_s: float) -> Verdict:
        before_seq, before = self.seq, self.best
        if bbo.venue_seq <= before_seq:
            return NOT_COMPARABLE
        self.seq, self.best = bbo.venue_seq, (bbo.bid, bbo.ask)
        book = _best_of(top)
        if self._apart_s(book, book_seq, now) >= behind_s:
            return _disagreed(book_seq, book, "its best prices moved on", self.seq, self.best)
        if book_seq == self.judged:
            return NOT_COMPARABLE
        if book_seq == self.seq:
            return self._compare(book, book_seq, self.best, self.seq)
        if before_seq < 0 or not before_seq <= book_seq < self.seq:
            return NOT_COMPARABLE
        return self._compare(book, book_seq, before, before_seq)

    def _compare(self, book: _Best, book_seq: int, best: _Best, best_seq: int) -> Verdict:
        self.judged = book_seq
        if book == best:
            return _AGREED
        return _disagreed(book_seq, book, "its best prices were", best_seq, best)

    def _apart_s(self, book: _Best, book_seq: int, now: float) -> float:
        if book == self.best:
            self.apart_since = None
            return 0.0
        if self.apart_since is None or book_seq != self.stands_at:
            self.apart_since, self.stands_at = now, book_seq
        return now - self.apart_since


class _Streak:
    """Disagreements in a row, of one kind and one symbol."""

    __slots__ = ("length", "told_at")

    def __init__(self) -> None:
        self.length = 0
        self.told_at: float | None = None


class Audits:
    """All audits of one connection."""

    def __init__(self) -> None:
        self._best: dict[str, _BestPrices] = {}
        self._streaks: dict[tuple[str, Audit], _Streak] = {}

    def judge_bbo(
        self, bbo: Bbo, book_seq: int, top: BookTop, now: float, behind_s: float = BEHIND_S
    ) -> Verdict:
        """Hold `top`, the book as it stands at `book_seq`, against the venue's best prices.

        It stands still when they have been apart for `behind_s`.
        """
        known = self._best.get(bbo.symbol)
        if known is None:
            known = self._best[bbo.symbol] = _BestPrices()
        return known.judge(bbo, book_seq, top, now, behind_s)

    def note(self, symbol: str, audit: Audit, verdict: Verdict, now: float) -> tuple[bool, bool]:
        """Count a verdict; return whether it is to be told, and whether the book is at fault."""
        if verdict.result is Result.AGREED:
            streak = self._streaks.get((symbol, audit))
            if streak is not None:
                streak.length = 0
            return False, False
        streak = self._streaks.setdefault((symbol, audit), _Streak())
        streak.length += 1
        tell = streak.told_at is None or now - streak.told_at >= EPISODE_S
        streak.told_at = now
        return tell, audit is Audit.SILENCE or streak.length >= FAULT_AFTER

    def forget(self, symbol: str) -> None:
        """Drop what is known of the best prices of `symbol`, and how often they disagreed."""
        self._best.pop(symbol, None)
        for audit in Audit:
            streak = self._streaks.get((symbol, audit))
            if streak is not None:
                streak.length = 0


class Watch:
    """Keeps a symbol's states by sequence while a snapshot of it is under way."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.void = False
        """Set where the book was dropped meanwhile."""
        self._states: dict[int, BookTop] = {}
        self._last = -1

    def note(self, seq: int, top: BookTop) -> None:
        """Take a state of the book."""
        self._states[seq] = top
        self._last = max(self._last, seq)

    def has_reached(self, seq: int) -> bool:
        """Say whether nothing older than `seq` is still to come."""
        return self.void or self._last >= seq

    def judge(self, snapshot: BookTop) -> Verdict:
        """Compare, once `snapshot` was reached or had its time to be."""
        seq = min(snapshot.venue_seq, self._last)
        top = self._states.get(seq)
        return NOT_COMPARABLE if self.void or top is None else _judge_whole(top, seq, snapshot)


def judge_silent(top: BookTop, seq: int, snapshot: BookTop, *, numbered: bool) -> Verdict:
    """Hold `top`, the book at `seq` whose stream is silent, against a snapshot.

    Where that has no number in common with the stream (not `numbered`), prices alone are compared.
    """
    if numbered and snapshot.venue_seq < seq:
        return NOT_COMPARABLE
    return _judge_whole(top, seq, snapshot, by_price=not numbered)


def _judge_whole(top: BookTop, seq: int, snapshot: BookTop, *, by_price: bool = False) -> Verdict:
    at = "" if by_price else f" at {snapshot.venue_seq}"
    for side, ours, theirs in (
        ("bid", top.bids, snapshot.bids),
        ("ask", top.asks, snapshot.asks),
    ):
        # No more than what is proven is shown; by price no more than both have, but for an empty
        # side.
        most = max(1, min(len(ours), len(theirs))) if by_price else top.depth
        pairs = zip_longest(ours[:most], theirs[:most])
        for place, (shown, said) in enumerate(pairs, start=1):
            if shown == said or (by_price and shown and said and shown[0] == said[0]):
                continue
            return Verdict(
                Result.DISAGREED,
                f"{side} {place} of the book at {seq} is {_text(shown)}, "
                f"of the snapshot{at} {_text(said)}",
            )
    return _AGREED


def _best_of(top: BookTop) -> _Best:
    return (top.bids[0] if top.bids else None, top.asks[0] if top.asks else None)


def _disagreed(book_seq: int, book: _Best, words: str, best_seq: int, best: _Best) -> Verdict:
    shown, said = (f"{_text(bid)} / {_text(ask)}" for bid, ask in (book, best))
    return Verdict(
        Result.DISAGREED, f"the book at {book_seq} shows {shown}, {words} {said} at {best_seq}"
    )


def _text(level: Level | None) -> str:
    return "nothing" if level is None else f"{level[0]} x {level[1]}"
