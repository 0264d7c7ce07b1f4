"""The rebuilding of recorded books: each venue's `recording.py` reads its own messages with it.

Seeds and deltas go in, whole books come out: the simulator can then serve them in any shape that
the venue has. A recording that contradicts itself (a lost delta, a wrong checksum) is refused,
because everything served from it is taken for the truth.

A line is `[<url> <arrow> ]<unix time>: <message>`: with the arrow `<-` the client sent it, with
`->` the message is the answer to a REST request, and with neither it came from the socket.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from dragonfly_common.errors import ConfigError

from venue_simulator.book import Levels, TextLevel

__all__ = [
    "KEPT_LEVELS",
    "Line",
    "Part",
    "PrintedLevels",
    "Rebuilding",
    "RecordedState",
    "Recording",
    "broken",
    "parse_lines",
    "plain",
    "read_lines",
    "read_parts",
    "seed_time",
]

KEPT_LEVELS: Final = 100
"""Levels a side of a recorded state: as many as any venue's channel shows."""

PrintedLevels = tuple[tuple[str, ...], ...]
"""Levels as recorded: price, amount, and whatever else the venue adds."""

_LINE: Final = re.compile(
    r"(?:(?P<url>\S+) (?P<arrow><->|<-|->) )?(?P<at>\d+(?:\.\d+)?): (?P<text>.+)"
)


@dataclass(frozen=True, slots=True)
class RecordedState:
    """One state of a book: levels best first, `offset_s` seconds after the recording's first."""

    offset_s: float
    venue_seq: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class Recording:
    """The states of one venue's book, `venue_seq` strictly rising; `symbol` is the venue's name."""

    venue: str
    instrument: str
    symbol: str
    states: tuple[RecordedState, ...]


class _Ladder:
    """One side of a book as the venue sends it: best first, amount zero removes."""

    def __init__(self, *, falling: bool) -> None:
        self._sign = -1.0 if falling else 1.0
        self._keys: list[float] = []
        self._levels: dict[float, TextLevel] = {}

    def put(self, price: str, amount: str) -> None:
        key = self._sign * float(price)
        if float(amount) > 0:
            if key not in self._levels:
                insort(self._keys, key)
            self._levels[key] = (price, amount)
        elif self._levels.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def cut(self, depth: int) -> None:
        for key in self._keys[depth:]:
            del self._levels[key]
        del self._keys[depth:]

    def best(self, count: int) -> Levels:
        return tuple(self._levels[key] for key in self._keys[:count])


class Rebuilding:
    """One book on its way through the recording, and the states it has been in."""

    def __init__(self, venue: str, instrument: str, symbol: str, depth: int | None = None) -> None:
        self.venue, self.instrument, self.symbol = venue, instrument, symbol
        self._depth = depth
        self._bids, self._asks = _Ladder(falling=True), _Ladder(falling=False)
        self._started_at = 0.0
        self._states: list[RecordedState] = []

    @property
    def venue_seq(self) -> int:
        """The last state's; 0 before the first."""
        return self._states[-1].venue_seq if self._states else 0

    def apply(
        self,
        at: float,
        venue_seq: int,
        bids: Iterable[Sequence[str]],
        asks: Iterable[Sequence[str]],
    ) -> None:
        """Apply one message's levels in its order, then note the state."""
        if venue_seq <= self.venue_seq:
            raise broken(self, f"{venue_seq} comes after {self.venue_seq}")
        for ladder, levels in ((self._bids, bids), (self._asks, asks)):
            for price, amount, *_ in levels:
                ladder.put(price, amount)
            if self._depth is not None:
                # A venue may send no delete for what leaves the window.
                ladder.cut(self._depth)
        if not self._states:
            self._started_at = at
        self._states.append(
            RecordedState(
                offset_s=at - self._started_at,
                venue_seq=venue_seq,
                bids=self._bids.best(KEPT_LEVELS),
                asks=self._asks.best(KEPT_LEVELS),
            )
        )

    def best(self, count: int) -> tuple[Levels, Levels]:
        """Return the best `count` bids and asks, best first."""
        return self._bids.best(count), self._asks.best(count)

    def recording(self) -> Recording:
        """Return what was rebuilt."""
        return Recording(self.venue, self.instrument, self.symbol, tuple(self._states))


class Line(NamedTuple):
    """One recorded message, and how it came."""

    url: str
    arrow: str
    at: float
    text: str

    @property
    def received(self) -> bool:
        """It came from the socket."""
        return not self.arrow


def parse_lines(lines: Iterable[str]) -> Iterator[Line]:
    """Yield what a line holds; one of another form is no message."""
    for line in lines:
        match = _LINE.fullmatch(line.rstrip("\n"))
        if match is not None:
            yield Line(match["url"] or "", match["arrow"] or "", float(match["at"]), match["text"])


def read_lines(folder: Path, pattern: str) -> Iterator[str]:
    """Yield the lines of all files of `folder` that fit `pattern`."""
    for path in sorted(folder.glob(pattern)):
        with path.open(encoding="utf-8") as lines:
            yield from lines


def read_parts(folder: Path, name: str) -> tuple[Iterator[str], Iterator[str], Iterator[str]]:
    """Return the lines of the instrument lists, the REST books and the sockets under `name`."""
    return (
        read_lines(folder, f"{name}.0"),
        read_lines(folder, f"{name}.http.*"),
        read_lines(folder, f"{name}.ws.*"),
    )


def seed_time(answered_at: float, fresh: Sequence[tuple[float, object]]) -> float:
    """Place a seed before the deltas that follow it: REST answers later than the socket."""
    return min([answered_at, *(at for at, _ in fresh[:1])])


class Part(NamedTuple):
    """One recorded message: a whole book, or the changes with the numbers `first` to `last`."""

    at: float
    first: int
    last: int
    bids: PrintedLevels
    asks: PrintedLevels


def join(book: Rebuilding, seed: Part, changes: Iterable[Part]) -> Recording:
    """Return the book that `seed` begins, with those of `changes` that are newer.

    Raises:
        ConfigError: a number is missing between the seed and the end.
    """
    fresh = [part for part in changes if part.last > seed.last]
    at = seed_time(seed.at, [(part.at, part) for part in fresh[:1]])
    book.apply(at, seed.last, seed.bids, seed.asks)
    for part in fresh:
        if part.first > book.venue_seq + 1:
            raise broken(book, f"no delta holds the update {book.venue_seq + 1}")
        book.apply(part.at, part.last, part.bids, part.asks)
    return book.recording()


def plain(number: Decimal | int) -> str:
    """Return a number as decimal text without an exponent, with the digits that it came with."""
    return format(Decimal(number), "f")


def broken(book: Rebuilding, what: str) -> ConfigError:
    """Return the refusal of a recording that contradicts itself."""
    return ConfigError(
        f"the recording of {book.symbol} at {book.venue} is broken: {what}; record it again"
    )
