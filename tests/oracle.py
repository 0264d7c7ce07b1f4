"""The judge: every book a bot received must be the merge of what the venues' books truly were.

Pure: the simulator's truth log and the received books go in, the first violation comes out. It
shares no code with the aggregator on purpose: a judge that computes with the accused's own
functions would repeat his mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import msgspec
from dragonfly_client import Book, Level, State, VenueFeed

__all__ = ["Fault", "Oracle", "Truth", "Violation", "expected_spread", "misordered"]


class _TruthLine(msgspec.Struct):
    """A line of the truth log: a state of a venue's book, or a fault that was injected."""

    venue: str
    instrument: str | None
    ts: int
    venue_seq: int = 0
    bids: msgspec.Raw = msgspec.Raw(b"[]")
    asks: msgspec.Raw = msgspec.Raw(b"[]")
    fault: str | None = None


class Fault(NamedTuple):
    """A fault that the simulator injected."""

    kind: str
    venue: str
    instrument: str | None
    ts: int


class Truth:
    """All states that the venues' books went through, and the faults on their way out."""

    def __init__(self, lines: Iterable[bytes | str]) -> None:
        self.faults: list[Fault] = []
        self._states: dict[tuple[str, str], dict[int, _TruthLine]] = {}
        for text in lines:
            line = msgspec.json.decode(text, type=_TruthLine)
            if line.fault is not None:
                self.faults.append(Fault(line.fault, line.venue, line.instrument, line.ts))
            elif line.instrument is not None:
                states = self._states.setdefault((line.venue, line.instrument), {})
                states[line.venue_seq] = line

    def count(self, venue: str, instrument: str) -> int:
        """Return how many states the book went through."""
        return len(self._states.get((venue, instrument), {}))

    def levels(
        self, venue: str, instrument: str, venue_seq: int, depth: int
    ) -> tuple[list[Level], list[Level]] | None:
        """Return (bids, asks) of one state, best first; None when the book never was in it."""
        line = self._states.get((venue, instrument), {}).get(venue_seq)
        if line is None:
            return None
        return _levels(venue, line.bids, depth), _levels(venue, line.asks, depth)


@dataclass(frozen=True)
class Violation:
    """A received book that breaks a rule, and all it takes to compute it again."""

    rule: str
    detail: str
    book: Book
    position: int
    previous: Book | None

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.rule}: {self.detail}",
                f"book {self.position} of {self.book.instrument}: {self.book}",
                f"the one before: {self.previous}",
            )
        )


class _BrokenRuleError(Exception):
    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule, self.detail = rule, detail


@dataclass
class Oracle:
    """Judges books against a truth; `depth` is the system's levels a side."""

    truth: Truth
    depth: int = 10
    _judged: int = field(default=0, init=False)

    @property
    def judged(self) -> int:
        """How many books were judged and found right."""
        return self._judged

    def first_violation(self, books: Iterable[Book]) -> Violation | None:
        """Judge what one bot received of one instrument, in its order."""
        previous: Book | None = None
        heard: dict[str, int] = {}
        for position, book in enumerate(books):
            try:
                self._judge(book)
                if previous is None or book.epoch != previous.epoch:
                    heard = {}
                if previous is not None:
                    _judge_order(previous, book)
                _judge_venue_order(heard, book)
            except _BrokenRuleError as broken:
                return Violation(broken.rule, broken.detail, book, position, previous)
            previous = book
            self._judged += 1
        return None

    def _judge(self, book: Book) -> None:
        live = [feed for feed in book.venues if feed.state is State.LIVE]
        _judge_names(book, live)
        bids: list[Level] = []
        asks: list[Level] = []
        for feed in live:
            levels = self.truth.levels(feed.venue, book.instrument, feed.venue_seq, self.depth)
            if levels is None:
                raise _BrokenRuleError(
                    "state that never was", f"{feed.venue} names venue_seq {feed.venue_seq}"
                )
            bids += levels[0]
            asks += levels[1]
        bids.sort(key=lambda level: (-level.price, -level.amount, level.venue))
        asks.sort(key=lambda level: (level.price, -level.amount, level.venue))
        for side, received, true in (("bids", book.bids, bids), ("asks", book.asks, asks)):
            if list(received) != true[: self.depth]:
                raise _BrokenRuleError(
                    "not the merge of the truth", f"{side} should be {true[: self.depth]}"
                )
        spread = expected_spread(book.bids, book.asks)
        if book.spread != spread:
            raise _BrokenRuleError("wrong spread", f"{book.spread!r} should be {spread!r}")


def expected_spread(bids: Sequence[Level], asks: Sequence[Level]) -> float:
    """Return best ask minus best bid, computed in decimal and rounded once; 0 without a side."""
    if not (bids and asks):
        return 0.0
    return float(Decimal(repr(asks[0].price)) - Decimal(repr(bids[0].price)))


def misordered(bids: Sequence[Level], asks: Sequence[Level]) -> str | None:
    """Say which neighbours break the order of a consolidated book; None when none do."""
    for name, side, sign in (("bids", bids, -1.0), ("asks", asks, 1.0)):
        for better, worse in pairwise(side):
            if (sign * better.price, -better.amount) > (sign * worse.price, -worse.amount):
                return f"{name}: {better} stands before {worse}"
    return None


def _judge_names(book: Book, live: Sequence[VenueFeed]) -> None:
    names = [feed.venue for feed in book.venues]
    if len(names) != len(set(names)):
        raise _BrokenRuleError("venue named twice", ", ".join(names))
    for feed in book.venues:
        if (feed.state is State.LIVE) == bool(feed.reason):
            raise _BrokenRuleError(
                "state without its reason", f"{feed.venue} is {feed.state.name}: {feed.reason!r}"
            )
    strangers = {level.venue for level in (*book.bids, *book.asks)} - {f.venue for f in live}
    if strangers:
        raise _BrokenRuleError("level of a venue that is not live", ", ".join(sorted(strangers)))
    if book.live is not bool(live):
        raise _BrokenRuleError("wrong `live`", f"{book.live} with {len(live)} live venues")


def _judge_order(previous: Book, book: Book) -> None:
    if book.instrument != previous.instrument:
        raise _BrokenRuleError("another instrument", f"{previous.instrument} came before")
    before, now = (previous.epoch, previous.seq), (book.epoch, book.seq)
    if now < before:
        raise _BrokenRuleError("went back", f"(epoch, seq) {now} after {before}")
    if now == before and _content(book) != _content(previous):
        raise _BrokenRuleError("two books of one seq", f"(epoch, seq) {now}")


def _judge_venue_order(heard: dict[str, int], book: Book) -> None:
    """Compare with the last live state of each venue, and note the new ones in `heard`."""
    for feed in book.venues:
        if feed.state is State.LIVE:
            last = heard.get(feed.venue, 0)
            if feed.venue_seq < last:
                raise _BrokenRuleError(
                    "venue went back", f"{feed.venue}: {feed.venue_seq} after {last}"
                )
            heard[feed.venue] = feed.venue_seq


def _content(book: Book) -> tuple[object, ...]:
    return (book.bids, book.asks, book.spread, book.live, book.venues)


def _levels(venue: str, texts: msgspec.Raw, depth: int) -> list[Level]:
    pairs = msgspec.json.decode(texts, type=list[tuple[str, str]])
    return [Level(venue, float(price), float(amount)) for price, amount in pairs[:depth]]
