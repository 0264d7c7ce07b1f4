"""What the venues' books truly were: the simulator's truth log, read. Pure."""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec
from dragonfly_client import Level

__all__ = ["Fault", "Truth"]

ALL_LEVELS: Final = 1 << 20
READ_STATES: Final = 20_000
"""States whose levels are kept at hand."""


class _TruthLine(msgspec.Struct):
    """A line of the truth log: a state of a venue's book, a fault, or what befell an order."""

    venue: str
    instrument: str | None
    ts: int
    venue_seq: int = 0
    bids: msgspec.Raw = msgspec.Raw(b"[]")
    asks: msgspec.Raw = msgspec.Raw(b"[]")
    fault: str | None = None
    order: str | None = None
    seconds: float | None = None


_truth_lines = msgspec.json.Decoder(_TruthLine)


class Fault(NamedTuple):
    """A fault that the simulator injected."""

    kind: str
    venue: str
    instrument: str | None
    ts: int
    seconds: float | None = None
    """How long it lasts, where it does."""

    @property
    def end(self) -> int:
        """When it is over."""
        return self.ts + int((self.seconds or 0.0) * 1e9)

    def concerns(self, venue: str, instrument: str) -> bool:
        """Whether it befalls that book."""
        return self.venue == venue and self.instrument in {None, instrument}


class Truth:
    """All states that the venues' books went through, and the faults on their way out.

    Of a state only its place in the log is kept: hours of thousands a second fit.
    """

    def __init__(self, lines: Iterable[bytes | str]) -> None:
        texts = [line.encode() if isinstance(line, str) else line.rstrip(b"\n") for line in lines]
        self._read(b"\n".join([*texts, b""]))

    @classmethod
    def from_file(cls, log: Path) -> Self:
        """Read a log that may be larger than memory, and whose last line may still be written."""
        truth = cls(())
        with log.open("rb") as file:
            truth._read(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return truth

    @property
    def venues(self) -> Mapping[str, set[str]]:
        """The venues that ever had a book, by instrument."""
        found: dict[str, set[str]] = {}
        for venue, instrument in self._states:
            found.setdefault(instrument, set()).add(venue)
        return found

    def count(self, venue: str, instrument: str) -> int:
        """Return how many states the book went through."""
        return len(self._states.get((venue, instrument), _States()).seqs)

    def changes(self, venue: str, instrument: str, depth: int) -> list[int]:
        """Return the `venue_seq` of the states that changed the top."""
        states = self._states.get((venue, instrument), _States())
        tops = [self._levels(venue, start, depth) for start in states.starts]
        return [
            seq
            for seq, top, before in zip(states.seqs, tops, [None, *tops], strict=False)
            if top != before
        ]

    def levels(
        self, venue: str, instrument: str, venue_seq: int, depth: int, book_seq: int = 0
    ) -> tuple[list[Level], list[Level]] | None:
        """Return (bids, asks) of one state, best first; None when the book never was in it.

        With `book_seq`, the best prices are of that state, and the levels below them of another.
        """
        if book_seq:
            best = self.levels(venue, instrument, venue_seq, 1)
            book = self.levels(venue, instrument, book_seq, ALL_LEVELS)
            return best and book and _below(best, book, depth)
        states = self._states.get((venue, instrument))
        at = states.find(venue_seq) if states else None
        return (
            None if states is None or at is None else self._levels(venue, states.starts[at], depth)
        )

    def since(self, venue: str, instrument: str, venue_seq: int) -> int | None:
        """Return when the book came into a state; None when it never did."""
        states = self._states.get((venue, instrument))
        at = states.find(venue_seq) if states else None
        return None if states is None or at is None else states.stamps[at]

    def later(
        self, venue: str, instrument: str, venue_seq: int, book_seq: int = 0
    ) -> Iterator[tuple[int, int]]:
        """Yield (venue_seq, when it came) of each state behind one, and of one half shown too."""
        states = self._states.get((venue, instrument))
        at = states.find(venue_seq) if states else None
        if states is not None and at is not None:
            first = at if book_seq else at + 1
            yield from zip(states.seqs[first:], states.stamps[first:], strict=True)

    def between(self, venue: str, instrument: str, venue_seq: int | None, until: int) -> list[int]:
        """Return the `venue_seq` of a state and of all behind it that came before a time.

        Of all states of the book without one.
        """
        states = self._states.get((venue, instrument), _States())
        first = 0 if venue_seq is None else bisect_left(states.seqs, venue_seq)
        return [
            seq
            for seq, ts in zip(states.seqs[first:], states.stamps[first:], strict=True)
            if ts <= until
        ]

    def superseded(
        self, venue: str, instrument: str, venue_seq: int, depth: int, book_seq: int = 0
    ) -> int | None:
        """Return when the first `depth` levels became others than were shown; None if never."""
        states = self._states.get((venue, instrument))
        at = states.find(venue_seq) if states else None
        if states is None or at is None:
            return None
        top = self.levels(venue, instrument, venue_seq, depth, book_seq)
        for later in range(at, len(states.seqs)):
            if self._levels(venue, states.starts[later], depth) != top:
                return states.stamps[later]
        return None

    def told(self, kinds: frozenset[str], venue: str, instrument: str) -> Sequence[Fault]:
        """Return what of `kinds` the venue said of a book, or of itself."""
        key = kinds, venue, instrument
        if key not in self._told:
            self._told[key] = [
                fault
                for fault in self.faults
                if fault.kind in kinds and fault.concerns(venue, instrument)
            ]
        return self._told[key]

    def _read(self, text: bytes | mmap.mmap) -> None:
        self._text = text
        self.faults: list[Fault] = []
        self._told: dict[tuple[frozenset[str], str, str], list[Fault]] = {}
        self._states: dict[tuple[str, str], _States] = {}
        self._levels = lru_cache(READ_STATES)(self._read_levels)
        start = 0
        while (end := text.find(b"\n", start)) >= 0:
            line = _truth_lines.decode(text[start:end])
            if line.fault is not None:
                fault = Fault(line.fault, line.venue, line.instrument, line.ts, line.seconds)
                self.faults.append(fault)
            elif line.instrument is not None and line.order is None:
                states = self._states.setdefault((line.venue, line.instrument), _States())
                states.add(line.venue_seq, line.ts, start)
            start = end + 1

    def _read_levels(self, venue: str, start: int, depth: int) -> tuple[list[Level], list[Level]]:
        line = _truth_lines.decode(self._text[start : self._text.find(b"\n", start)])
        return _levels(venue, line.bids, depth), _levels(venue, line.asks, depth)


class _States:
    """The states of one book in their order, which is that of their numbers."""

    def __init__(self) -> None:
        self.seqs, self.stamps, self.starts = array("q"), array("q"), array("q")

    def add(self, seq: int, ts: int, start: int) -> None:
        at = bisect_right(self.seqs, seq)
        for values, value in ((self.seqs, seq), (self.stamps, ts), (self.starts, start)):
            values.insert(at, value)

    def find(self, seq: int) -> int | None:
        at = bisect_right(self.seqs, seq) - 1
        return at if at >= 0 and self.seqs[at] == seq else None


def _levels(venue: str, texts: msgspec.Raw, depth: int) -> list[Level]:
    pairs = msgspec.json.decode(texts, type=list[tuple[str, str]])
    return [Level(venue, float(price), float(amount)) for price, amount in pairs[:depth]]


def _below(
    best: tuple[list[Level], list[Level]], book: tuple[list[Level], list[Level]], depth: int
) -> tuple[list[Level], list[Level]]:
    """Return the best prices of one state, and those levels of another that are worse."""
    (bid, ask), (bids, asks) = best, book
    lower = [level for level in bids if bid and level.price < bid[0].price]
    higher = [level for level in asks if ask and level.price > ask[0].price]
    return [*bid, *lower][:depth], [*ask, *higher][:depth]
