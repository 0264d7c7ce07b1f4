"""What a customer's engine was sent, held against the truth.

The engines print one line a message. A whole book (W) names the state of each venue that is in it
(299), and must show exactly its levels as far down as the book goes. A difference (X) leaves out
what it does not show, so a venue may have gone on since the last state that it named, but not
beyond the time at which the message was sent, and every level must be of one such state. Best
prices are a book of one level. Merged prices name no states: there must be some of each venue,
none older than those that earlier ones were of, of which they are the sum.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from itertools import chain, product
from math import isclose
from pathlib import Path
from typing import Final, NamedTuple

from dragonfly_client import Level
from dragonfly_fix.codec import FixDecoder, FixMessage
from dragonfly_fix.timestamps import parse_timestamp
from fix_engines import Request
from terminal.fix_books import entries
from truth import Truth

__all__ = ["Judge", "judge", "lines_in"]

CLOCK_NS: Final = 2_000_000
"""SendingTime (52) is cut to a millisecond."""
DEPTH: Final = 10
"""Levels of a venue's book that any request can show."""
EQUAL: Final = 1e-9
"""Of sums."""
NEW, CHANGED, DELETED = b"0", b"1", b"2"
SIDES: Final = (b"0", b"1")


class _Key(NamedTuple):
    side: bytes
    venue: str
    price: float


class _Entry(NamedTuple):
    amount: float
    sequence: int
    venues: int


_Book = dict[_Key, _Entry]
_Part = tuple[tuple[_Key, float], ...]
"""Levels of one venue."""


class Judge:
    """Reads one engine's lines, in their order."""

    def __init__(self, truth: Truth, requests: Iterable[Request]) -> None:
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        """Of words, of messages by type, and of books that were judged by request."""
        self.books: defaultdict[str, _Book] = defaultdict(dict)
        """By request."""
        self._requests = {one.name: one for one in requests}
        self._known: dict[tuple[str, str], int] = {}
        """The newest state that was named, or can only have been meant, by request and venue."""
        self._truth = truth

    def take(self, line: bytes) -> None:
        """Take a line that an engine printed."""
        word, _, rest = line.rstrip(b"\n").partition(b" ")
        self.counts[word.decode()] += 1
        match word:
            case b"up":
                self.books.clear()
                self._known.clear()
            case b"bad":
                self.violations.append(f"it refuses {_shown(rest)}")
            case b"in":
                [message] = FixDecoder().feed(rest)
                assert isinstance(message, FixMessage), line
                self._take(message, rest)

    def _take(self, message: FixMessage, raw: bytes) -> None:
        self.counts[message.type.decode()] += 1
        request = self._requests.get((message.get(262) or b"").decode())
        if request is None or message.type not in {b"W", b"X"}:
            self.violations.append(f"it was not to be sent {_shown(raw)}")
            return
        if message.type == b"W":
            self.books[request.name] = {}
            for entry in entries(message, 269):
                self._set(request, entry, raw)
        else:
            self._change(request, message, raw)
        self.counts[request.name] += 1
        sent_ns = parse_timestamp(message.get(52) or b"") + CLOCK_NS
        if request.merged:
            self._judge_merged(request, sent_ns, raw)
        else:
            self._judge(request, sent_ns, raw, exact=message.type == b"W")

    def _change(self, request: Request, message: FixMessage, raw: bytes) -> None:
        book = self.books[request.name]
        for entry in entries(message, 279):
            key, action = _key(entry), _value(entry, 279)
            if (key in book) is (action == NEW):
                self.violations.append(f"{request}: {key} is told as {action!r} in {_shown(raw)}")
            if action == DELETED:
                book.pop(key, None)
                self._note(request, entry)
            else:
                self._set(request, entry, raw)

    def _set(self, request: Request, entry: Sequence[tuple[int, bytes]], raw: bytes) -> None:
        sequence = self._note(request, entry)
        if not sequence and not request.merged:
            self.violations.append(f"{request}: an entry names no state in {_shown(raw)}")
        venues = int(_value(entry, 346) or 1)
        self.books[request.name][_key(entry)] = _Entry(float(_value(entry, 271)), sequence, venues)

    def _note(self, request: Request, entry: Sequence[tuple[int, bytes]]) -> int:
        of, sequence = (request.name, _key(entry).venue), int(_value(entry, 299) or 0)
        if not request.merged:
            self._known[of] = max(sequence, self._known.get(of, 0))
        return sequence

    def _judge(self, request: Request, sent_ns: int, raw: bytes, *, exact: bool) -> None:
        book = self.books[request.name]
        for venue in sorted({key.venue for key in book}):
            known = self._known[request.name, venue]
            sequences = {entry.sequence for key, entry in book.items() if key.venue == venue}
            if exact and len(sequences) > 1:
                self.violations.append(f"{request}: {venue} has {sequences} in {_shown(raw)}")
            states = [known] if exact else [known, *self._later(request, venue, known, sent_ns)]
            if not any(self._is_of(request, venue, state) for state in states):
                self.violations.append(
                    f"{request}: no state of {venue} from {known} on, of {len(states)},"
                    f" is what is shown after {_shown(raw)}"
                )

    def _later(self, request: Request, venue: str, known: int, sent_ns: int) -> list[int]:
        later = self._truth.later(venue, request.symbol, known)
        return [state for state, ts in later if ts <= sent_ns]

    def _is_of(self, request: Request, venue: str, state: int) -> bool:
        """Say whether a venue's entries are its true levels, down to where the book ends."""
        true = self._truth.levels(venue, request.symbol, state, DEPTH)
        book = self.books[request.name]
        for side, levels in zip(SIDES, true or (), strict=False):
            shown = {
                key.price: entry.amount
                for key, entry in book.items()
                if (key.side, key.venue) == (side, venue)
            }
            # Of equal prices some may be beyond the end.
            if shown != _above(book, side, levels, request.depth, shown):
                return False
        return true is not None

    def _judge_merged(self, request: Request, sent_ns: int, raw: bytes) -> None:
        book = self.books[request.name]
        venues = sorted(self._truth.venues.get(request.symbol, ()))
        parts = [self._parts(request, venue, sent_ns) for venue in venues]
        # Any of them may be away.
        chosen = [one for one in product(*([*some, ()] for some in parts)) if _is_sum(book, one)]
        if not chosen:
            self.violations.append(f"{request}: no states have the sum {_shown(raw)}")
        for venue, states, some in zip(venues, parts, zip(*chosen, strict=True), strict=False):
            if () not in some:
                self._known[request.name, venue] = min(states[part] for part in some)
        self.counts["sums"] += any(entry.venues > 1 for entry in book.values())

    def _parts(self, request: Request, venue: str, sent_ns: int) -> dict[_Part, int]:
        """Return what of merged prices may be a venue's, and the first of its states with it."""
        book = self.books[request.name]
        prices = {side: {key.price for key in book if key.side == side} for side in SIDES}
        known = self._known.get((request.name, venue))
        found: dict[_Part, int] = {}
        for state in self._truth.between(venue, request.symbol, known, sent_ns):
            true = self._truth.levels(venue, request.symbol, state, DEPTH)
            part = tuple(
                (_Key(side, "", price), amount)
                for side, levels in zip(SIDES, true or (), strict=False)
                for price, amount in _above(book, side, levels, request.depth, prices[side]).items()
            )
            if part and all(
                key in book and amount <= book[key].amount * (1 + EQUAL) for key, amount in part
            ):
                found.setdefault(part, state)
        return found


def lines_in(output: Path) -> list[bytes]:
    """Return the whole lines that an engine has printed so far."""
    return output.read_bytes().split(b"\n")[:-1] if output.exists() else []


def judge(
    output: Path, truth_log: Path, requests: Iterable[Request]
) -> tuple[list[str], Counter[str]]:
    """Return what is wrong with an engine's lines, and how many of what they are."""
    reader = Judge(Truth.from_file(truth_log), requests)
    for line in lines_in(output):
        reader.take(line)
    return reader.violations, reader.counts


def _is_sum(book: _Book, parts: Iterable[_Part]) -> bool:
    amounts: defaultdict[_Key, list[float]] = defaultdict(list)
    for key, amount in chain.from_iterable(parts):
        amounts[key].append(amount)
    return amounts.keys() == book.keys() and all(
        len(some) == book[key].venues and isclose(sum(some), book[key].amount, rel_tol=EQUAL)
        for key, some in amounts.items()
    )


def _above(
    book: _Book, side: bytes, levels: Iterable[Level], depth: int, prices: Container[float]
) -> dict[float, float]:
    """Return the levels before the last price of a side that is full, and those at `prices`."""
    shown = [key.price for key in book if key.side == side]
    sign = -1.0 if side == SIDES[0] else 1.0
    last = max((sign * price for price in shown), default=0.0) if len(shown) >= depth else None
    return {
        level.price: level.amount
        for level in levels
        if last is None or sign * level.price < last or level.price in prices
    }


def _key(entry: Sequence[tuple[int, bytes]]) -> _Key:
    venue = _value(entry, 282).decode().lower()
    return _Key(_value(entry, 269), venue, float(_value(entry, 270)))


def _value(entry: Sequence[tuple[int, bytes]], tag: int) -> bytes:
    return next((value for found, value in entry if found == tag), b"")


def _shown(raw: bytes) -> str:
    return raw.replace(b"\x01", b"|").decode(errors="replace")
