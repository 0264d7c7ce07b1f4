"""A book built of changes: a whole book to begin with, then changes whose numbers must join.

Venues number changes in four ways, and two sequencers cover them (`Ranges`, `Links`); a venue's own
sequencer derives from one of them, and its docstring is the venue's numbered rules. Some number the
frames of a connection instead (`ConnectionSequence`), and no change (`Unlinked`). Where the whole
book comes from decides the rest:

- *In the stream* (OKX, Bybit, Kraken): `snapshot` replaces the book, `change` continues it.
- *From elsewhere* (Binance, KuCoin over REST): `change` buffers and asks for a seed; `seed` joins
  it with what was buffered. A seed of limited length proves only the prices it reaches. What lies
  beyond is unknown until it is seeded again, and never shown; the book goes on meanwhile, and says
  how deep it is proven (`DeltaBook.reach`).

    EMPTY ──first change──▶ SEEDING ──seed joins──▶ LIVE ──levels run low──▶ LIVE, seeding beside
      ▲                        │ seed too old: wanted again                    │
      └────────── gap ─────────┴────────── gap, or no level is proven ─────────┘

Pure: no socket, no clock. Prices and amounts are doubles (`dragonfly_common.types.Level`).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import partial
from math import inf
from typing import Final, Protocol

import msgspec
from dragonfly_common.types import Level, Side

from dragonfly_venues.decoding.whole_tops import MAX_SYMBOLS, OLDER_IN_A_ROW
from dragonfly_venues.events import BookTop, Broken, Event, Lost, SeedWanted, Unchanged
from dragonfly_venues.venue import Decoder

__all__ = [
    "Change",
    "ConnectionSequence",
    "DeltaBook",
    "DeltaDecoder",
    "Links",
    "Place",
    "Progress",
    "Ranges",
    "Seed",
    "Sequencer",
    "Unlinked",
]

LEAST_OF_SEED: Final = 0.75
"""The part of a seed that may be left before another is due, whatever is shown of it."""

MOST_LEVELS: Final = 2**17
"""Levels a side that are kept at most: several times as many as any venue's longest side has, where
a change costs 1.2 µs, and 0.9 in a book of a hundred."""

MAX_BUFFERED: Final = 2048
"""Changes kept while a seed is awaited: minutes of the busiest pair. Past it the oldest go, and a
seed that is older than what is left does not join."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """One message of changes: amounts by price, 0 removes."""

    link: int
    """It joins the change to the one before: the first number covered, or the last of that one."""
    last: int
    """The number of the book after it."""
    bids: Side
    asks: Side
    ts_event: int | None = None
    venue_seq: int | None = None
    """Its `BookTop.venue_seq`, where that is not `last`: the venue's channels share it, say."""


class Seed(msgspec.Struct, frozen=True, gc=False):
    """A whole book at `seq`."""

    seq: int
    bids: Side
    asks: Side
    limit: int | None = None
    """Levels a side that were asked for: a side as long as that may go on beyond it."""
    venue_seq: int | None = None
    """As in `Change`."""


class Place(Enum):
    """Where a change stands relative to a book."""

    OLD = auto()
    NEXT = auto()
    GAP = auto()


class Sequencer(Protocol):
    """A venue's rules of continuity; stateless."""

    def place(self, seq: int, change: Change) -> Place:
        """Return where `change` stands relative to a book at `seq`."""
        ...

    def joins(self, seq: int, change: Change) -> Place:
        """Return where `change` stands relative to a seed at `seq`: it may begin before it."""
        ...


class Ranges:
    """Changes cover ranges of one counter: each begins one after the last ended.

    A counter that rises by one for each message is the same rule, with `link` equal to `last`.
    """

    def place(self, seq: int, change: Change) -> Place:
        """Return NEXT where the range begins at `seq` + 1, OLD where it ends by `seq`."""
        if change.link == seq + 1:
            return Place.NEXT
        return Place.OLD if change.last <= seq else Place.GAP

    def joins(self, seq: int, change: Change) -> Place:
        """Return NEXT where the range holds `seq` + 1, OLD where it ends by `seq`."""
        if change.last <= seq:
            return Place.OLD
        return Place.NEXT if change.link <= seq + 1 else Place.GAP


class Links:
    """Changes name the number that they follow: only equality means anything."""

    def place(self, seq: int, change: Change) -> Place:
        """Return NEXT where the change follows `seq`; numbers may fall when a venue resets them."""
        return Place.NEXT if change.link == seq else Place.GAP

    def joins(self, seq: int, change: Change) -> Place:
        """Return NEXT where the change follows `seq` or spans it, OLD where it ends by `seq`."""
        if change.last <= seq:
            return Place.OLD
        return Place.NEXT if change.link <= seq else Place.GAP


class Unlinked:
    """Changes are not numbered book by book: each continues the book (`ConnectionSequence`)."""

    def place(self, seq: int, change: Change) -> Place:
        """Return NEXT."""
        return Place.NEXT

    joins = place


class ConnectionSequence:
    """One counter over all frames of a connection: each number is one above the last.

    A frame that is lost may have been of any book, so that all of them are (`Lost`).
    """

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self, number: int) -> str | None:
        """Go on from `number`; return what is wrong with it where it is not the next."""
        expected, self._next = self._next, number + 1
        return None if number == expected else f"frame {number} came where {expected} was due"


class Progress(Enum):
    """The effect of a message on the book."""

    NEWS = auto()
    """The best levels changed: read `DeltaBook.top`."""
    SAME = auto()
    """It was applied, or is old, and the best levels are as they were."""
    WAITING = auto()
    """There is no book yet: it was buffered, or the stream's snapshot is awaited."""
    GAP = auto()
    """Something between was lost; the book was dropped."""
    SPENT = auto()
    """The price left all levels that a seed had proven; the book was dropped."""


class _Levels:
    """One side; `_keys` rise towards the best price, which is therefore cheap to change."""

    __slots__ = ("_bound", "_keys", "_levels", "_sign", "bounded")

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._keys: list[float] = []
        self._levels: list[Level] = []
        """That of each key, in the same order: the best are had without being made."""
        self._bound = -inf
        """Keys below it are unproven and not kept."""
        self.bounded = False
        """True where the side may go on beyond its known levels."""

    def __len__(self) -> int:
        return len(self._keys)

    def replace(self, levels: Iterable[Level], limit: int | None) -> None:
        """Set the side; one as long as `limit` proves nothing beyond its last level."""
        known = {self._sign * level[0]: level for level in levels if level[1] > 0.0}
        self._keys = sorted(known)
        self._levels = [known[key] for key in self._keys]
        self.bounded = limit is not None and len(self._keys) >= limit
        self._bound = self._keys[0] if self.bounded else -inf
        self._forget()

    def apply(self, changes: Iterable[Level], depth: int) -> bool:
        """Apply `changes` in order; return whether the best `depth` levels may have changed."""
        keys, levels, sign = self._keys, self._levels, self._sign
        edge = keys[-depth] if len(keys) >= depth else -inf
        news = False
        for level in changes:
            price, amount = level
            key = sign * price
            at = bisect_left(keys, key)
            known = at < len(keys) and keys[at] == key
            if amount == 0.0:
                if not known:
                    continue
                del keys[at], levels[at]
            elif known:
                if levels[at][1] == amount:
                    continue
                levels[at] = level
            elif key < self._bound:
                continue
            else:
                keys.insert(at, key)
                levels.insert(at, level)
            news = news or key >= edge
        self._forget()
        return news

    def cut(self, window: int) -> None:
        """Drop what lies beyond the best `window` levels."""
        beyond = len(self._keys) - window
        if beyond > 0:
            del self._keys[:beyond], self._levels[:beyond]

    def best(self, depth: int) -> Side:
        """Return the best `depth` levels, best first."""
        return tuple(self._levels[: -depth - 1 : -1])

    def _forget(self) -> None:
        """Of too many levels, forget the worse half: what lies beyond the other is unproven."""
        if len(self._keys) > MOST_LEVELS:
            self.cut(MOST_LEVELS // 2)
            self._bound, self.bounded = self._keys[0], True


class _Book:
    """Both sides at `seq`."""

    __slots__ = ("asks", "bids", "continued", "limit", "older", "seq", "ts_event", "venue_seq")

    def __init__(self, seed: Seed, ts_event: int | None) -> None:
        self.seq = seed.seq
        self.venue_seq = seed.seq if seed.venue_seq is None else seed.venue_seq
        self.limit = seed.limit
        self.continued = False
        """True once a change has joined it: the first may begin before it."""
        self.older = 0
        """Changes in a row that were older than the book, since one has joined it."""
        self.ts_event = ts_event
        self.bids = _Levels(1.0)
        self.asks = _Levels(-1.0)
        self.bids.replace(seed.bids, seed.limit)
        self.asks.replace(seed.asks, seed.limit)

    def apply(self, change: Change, depth: int) -> bool:
        self.seq = change.last
        self.venue_seq = change.last if change.venue_seq is None else change.venue_seq
        self.continued = True
        self.older = 0
        self.ts_event = change.ts_event
        bids = self.bids.apply(change.bids, depth)
        asks = self.asks.apply(change.asks, depth)
        return bids or asks

    def reach(self, depth: int) -> int:
        """Return how many of the best `depth` levels are proven to be the best, on both sides."""
        if self.bids.bounded:
            depth = min(depth, len(self.bids))
        return min(depth, len(self.asks)) if self.asks.bounded else depth

    def runs_low(self, depth: int) -> bool:
        """True when another seed is due, so that the best `depth` levels stay proven.

        That is when fewer than twice as many are left; of a seed that had no more than those to
        begin with, when a quarter of it is gone.
        """
        if self.limit is None:
            return False
        least = min(2 * depth, math.ceil(self.limit * LEAST_OF_SEED))
        return self.reach(least) < least


class DeltaBook:
    """One symbol's book on one subscription."""

    __slots__ = ("_book", "_buffer", "_depth", "_seeded", "_sequencer", "_wanted", "_window")

    def __init__(
        self, depth: int, sequencer: Sequencer, *, seeded: bool, window: int | None = None
    ) -> None:
        """Make an empty book of which the best `depth` levels are of interest.

        `seeded`: the whole book comes from elsewhere, not in the stream. `window`: the levels a
        side that the venue keeps current; it may send no removal for one that it pushes out.
        """
        self._depth = depth
        self._sequencer = sequencer
        self._seeded = seeded
        self._window = window
        self._book: _Book | None = None
        self._buffer: list[Change] | None = [] if seeded else None
        """Changes that a seed will be joined with; None while none is awaited."""
        self._wanted = seeded

    @property
    def seq(self) -> int:
        """The number of the book; -1 where there is none."""
        return -1 if self._book is None else self._book.seq

    def best(self, count: int) -> tuple[Side, Side]:
        """Return the best `count` bids and asks, whatever depth is of interest."""
        if self._book is None:
            return (), ()
        return self._book.bids.best(count), self._book.asks.best(count)

    @property
    def venue_seq(self) -> int:
        """The number that the book is published by; -1 where there is none."""
        return -1 if self._book is None else self._book.venue_seq

    @property
    def ts_event(self) -> int | None:
        """The venue's stamp of the last message, ns UTC; None where it sent none."""
        return None if self._book is None else self._book.ts_event

    @property
    def unconfirmed(self) -> bool:
        """True while the book stands as it was seeded: no change has joined it."""
        return self._book is not None and not self._book.continued

    @property
    def reach(self) -> int | None:
        """Levels a side to which the book is proven; None: to the depth that is of interest."""
        reach = self._depth if self._book is None else self._book.reach(self._depth)
        return reach if reach < self._depth else None

    def top(self) -> tuple[Side, Side]:
        """Return the best bids and asks as far as they are proven, best first.

        Empty where there is no book.
        """
        if self._book is None:
            return (), ()
        reach = self._book.reach(self._depth)
        return self._book.bids.best(reach), self._book.asks.best(reach)

    def wants_seed(self) -> bool:
        """Return whether a seed is to be fetched; True once for each that is wanted."""
        wanted, self._wanted = self._wanted, False
        return wanted

    def snapshot(self, seed: Seed, ts_event: int | None = None) -> Progress:
        """Replace the book by a whole one that came in the stream."""
        self._book = _Book(seed, ts_event)
        self._book.continued = True  # what follows in the stream begins where it ends
        return Progress.NEWS

    def change(self, change: Change) -> Progress:
        """Apply a change, or buffer it while a seed is awaited."""
        if self._buffer is not None:
            self._buffer.append(change)
            if len(self._buffer) > MAX_BUFFERED:
                del self._buffer[0]
        book = self._book
        if book is None:
            return Progress.WAITING
        place = self._place(book, change)
        if place is Place.OLD:
            # Where each is older, the venue counts anew.
            book.older += book.continued
            if book.older < OLDER_IN_A_ROW:
                return Progress.SAME
            place = Place.GAP
        if place is Place.GAP:
            self._drop(change)
            return Progress.GAP
        news = book.apply(change, self._depth)
        if self._window is not None:
            book.bids.cut(self._window)
            book.asks.cut(self._window)
        if not news:
            return Progress.SAME
        if not book.reach(1):
            self._drop(change)
            return Progress.SPENT
        self._want_more(book)
        return Progress.NEWS

    def seed(self, seed: Seed) -> Progress:
        """Join `seed` with what was buffered; where it is too old for that, another is wanted."""
        if self._buffer is None:
            return Progress.SAME  # nobody waits for it any more
        book = _Book(seed, None)
        for change in self._buffer:
            place = self._place(book, change)
            if place is Place.GAP and not book.continued:
                return self._too_old()
            if place is Place.GAP:
                self._drop(change)
                return Progress.GAP
            if place is Place.NEXT:
                book.apply(change, self._depth)
        if book.seq < self.seq or not book.reach(1):
            return self._too_old()
        self._book = book
        self._buffer = None
        self._wanted = False
        self._want_more(book)
        return Progress.NEWS

    def _place(self, book: _Book, change: Change) -> Place:
        rule = self._sequencer.place if book.continued else self._sequencer.joins
        return rule(book.seq, change)

    def _too_old(self) -> Progress:
        self._wanted = True
        return Progress.WAITING if self._book is None else Progress.SAME

    def _want_more(self, book: _Book) -> None:
        """Ask for another seed where this one's levels run low; the book goes on meanwhile."""
        if self._buffer is None and book.runs_low(self._depth):
            self._buffer = []
            self._wanted = True

    def _drop(self, change: Change) -> None:
        """Drop the book; `change`, the first after the gap, is the first that a seed may join."""
        self._book = None
        if self._seeded:
            self._buffer = [change]
            self._wanted = True


class _Known:
    """One symbol of a connection: its book, and what was last said of it."""

    __slots__ = ("book", "said", "same")

    def __init__(self, symbol: str, book: DeltaBook) -> None:
        self.book = book
        self.same = Unchanged(symbol)
        self.said: tuple[int | None, tuple[Side, Side]] | None = None


class DeltaDecoder(Decoder):
    """The books of one connection, by symbol, and what is said of them.

    A gap breaks a book, and so does a price that leaves what a seed proved; it is said once. What
    follows of it is `Unchanged` until the next snapshot in the stream, or until a seed joins. So
    does a book that crosses itself; one that is crossed when it begins anew is the venue's own, and
    said as it is until it has uncrossed.
    """

    def __init__(
        self,
        depth: int,
        sequencer: Sequencer,
        *,
        seeded: bool = False,
        window: int | None = None,
        seed_levels: int | None = None,
    ) -> None:
        """Make books as `DeltaBook` says; `seed_levels` is `SnapshotSource.levels`."""
        self._new = partial(DeltaBook, depth, sequencer, seeded=seeded, window=window)
        self._seed_levels = seed_levels
        self._known: dict[str, _Known] = {}
        self._crossed: set[str] = set()
        """Symbols whose books were broken for being crossed, and were not seen uncrossed since."""

    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`: it waits for a snapshot, or for a seed."""
        self._known.pop(symbol, None)

    def lose(self, detail: str) -> Sequence[Event]:
        """Drop all books: a frame that nobody can name was lost."""
        self._known.clear()
        return (Lost(detail),)

    def best(self, symbol: str, count: int) -> tuple[Side, Side] | None:
        """Return the best `count` bids and asks of `symbol`, None where it has no book."""
        known = self._known.get(symbol)
        return None if known is None or known.book.seq < 0 else known.book.best(count)

    def seq(self, symbol: str) -> int:
        """Return the `venue_seq` of the book of `symbol`, -1 where there is none."""
        known = self._known.get(symbol)
        return -1 if known is None else known.book.venue_seq

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` stands as it was seeded."""
        known = self._known.get(symbol)
        return known is not None and known.book.unconfirmed

    def seed(self, book: BookTop) -> Sequence[Event]:
        """Return what comes of a whole book that REST gave."""
        known = self._known_as(book.symbol)
        seed = Seed(book.venue_seq, book.bids, book.asks, self._seed_levels)
        return self._say(known, known.book.seed(seed))

    def snapshot(self, symbol: str, seed: Seed, ts_event: int | None = None) -> Sequence[Event]:
        """Return what a whole book in the stream says."""
        known = self._known_as(symbol)
        return self._say(known, known.book.snapshot(seed, ts_event))

    def change(self, symbol: str, change: Change) -> Sequence[Event]:
        """Return what a message of changes says."""
        known = self._known_as(symbol)
        before = known.book.seq
        progress = known.book.change(change)
        if progress is Progress.GAP:
            known.said = None
            detail = f"{change.link} to {change.last} does not follow {before}"
            return (Broken(symbol, "gap", detail),)
        if progress is Progress.SPENT:
            known.said = None
            detail = f"the price left all {self._seed_levels} levels of the whole book"
            return (Broken(symbol, "spent", detail),)
        return self._say(known, progress)

    def _say(self, known: _Known, progress: Progress) -> Sequence[Event]:
        book = known.book
        event: BookTop | Unchanged = known.same
        if progress is Progress.NEWS and (said := (book.reach, book.top())) != known.said:
            reach, (bids, asks) = said
            if self._newly_crossed(known.same.symbol, bids, asks):
                detail = f"bid {bids[0][0]} >= ask {asks[0][0]}"
                return (Broken(known.same.symbol, "crossed", detail),)
            known.said = said
            event = BookTop(known.same.symbol, book.venue_seq, book.ts_event, bids, asks, reach)
        if book.wants_seed():
            return (event, SeedWanted(known.same.symbol))
        return (event,)

    def _newly_crossed(self, symbol: str, bids: Side, asks: Side) -> bool:
        if not bids or not asks or bids[0][0] < asks[0][0]:
            self._crossed.discard(symbol)
            return False
        if symbol in self._crossed:
            return False
        if len(self._crossed) >= MAX_SYMBOLS:
            self._crossed.clear()
        self._crossed.add(symbol)
        return True

    def _known_as(self, symbol: str) -> _Known:
        known = self._known.get(symbol)
        if known is None:
            if len(self._known) >= MAX_SYMBOLS:
                del self._known[next(iter(self._known))]
            known = self._known[symbol] = _Known(symbol, self._new())
        return known
