"""The frames of Bitfinex's channels. Source: docs.bitfinex.com, "Public channels", "Checksum".

    943592,[[6000,2,1.5],[6100,1,-3]]

Each client gets frames of its own: its channels have numbers, and it chose by flags what a frame
ends in. So what is made for all is a text of lines, of which `address` makes one client's frames:

    snapshot            or `update`, or `ticker`
    1790114272304       the time in ms
    [6000,2,1.5]        entries of the book, or the whole ticker
    cs 1756193398       the checksum, where one is due
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import IntFlag
from itertools import zip_longest
from typing import Final

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = [
    "BOOK",
    "TICKER",
    "Flag",
    "address",
    "checksum",
    "finish",
    "first_frame",
    "frame",
    "number",
    "spoil_checksum",
]

BOOK: Final = "book"
TICKER: Final = "ticker"
CHECKSUM_LEVELS: Final = 25
CHECKSUM_INTERVAL_NS: Final = 2_500_000_000
TICKER_INTERVAL_NS: Final = 15_000_000_000


class Flag(IntFlag):
    """The flags that a client sets by `conf`."""

    TIMESTAMP = 1 << 15
    SEQ_ALL = 1 << 16
    OB_CHECKSUM = 1 << 17
    BULK_UPDATES = 1 << 29


def first_frame(stream: BookStream, state: BookState) -> str:
    if stream.kind == TICKER:
        return _lines(TICKER, state, [_ticker(state)])
    sides = (state.bids[: stream.depth], 1), (state.asks[: stream.depth], -1)
    entries = [_entry(*level, sign) for side, sign in sides for level in side]
    return _lines("snapshot", state, entries)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind == TICKER:
        due = _passes(before, after, TICKER_INTERVAL_NS)
        return _lines(TICKER, after, [_ticker(after)]) if due else None
    gone: list[str] = []
    entries: list[str] = []
    for was, now, sign in ((before.bids, after.bids, 1), (before.asks, after.asks, -1)):
        for price, amount in changed_levels(was[: stream.depth], now[: stream.depth], ""):
            (entries if amount else gone).append(_entry(price, amount, sign))
    # What leaves goes first: a client that takes entry by entry sees no crossed book.
    entries = [*gone, *entries]
    if _passes(before, after, CHECKSUM_INTERVAL_NS):
        entries.append(f"cs {checksum(after.bids, after.asks)}")
    return _lines("update", after, entries) if entries else None


def spoil_checksum(frame: str) -> str:
    """Return `frame` with a checksum that does not hold, whether one was due or not."""
    return f"{frame.partition(chr(10) + 'cs ')[0]}\ncs 1"


def address(text: str, channel: int, flags: Flag, count: Callable[[], int]) -> list[str]:
    """Return the frames of one client; `count` returns the number of its next one."""
    kind, stamp, *lines = text.split("\n")
    checksums = [f'"cs",{line[3:]}' for line in lines if line.startswith("cs ")]
    contents = lines[: len(lines) - len(checksums)]
    if kind == "snapshot" or (kind == "update" and Flag.BULK_UPDATES in flags and contents):
        contents = [f"[{','.join(contents)}]"]
    if Flag.OB_CHECKSUM in flags:
        contents += checksums
    return [finish(f"{channel},{content}", stamp, flags, count) for content in contents]


def finish(content: str, stamp: str, flags: Flag, count: Callable[[], int]) -> str:
    """Return a frame of `content` with what the client asked for behind it."""
    number = f",{count()}" if Flag.SEQ_ALL in flags else ""
    return f"[{content}{number}{f',{stamp}' if Flag.TIMESTAMP in flags else ''}]"


def checksum(bids: Levels, asks: Levels) -> int:
    """Return the signed CRC32 of 25 bids and asks in turn, in JavaScript's text."""
    pairs = zip_longest(bids[:CHECKSUM_LEVELS], asks[:CHECKSUM_LEVELS])
    text = ":".join(
        f"{number(level[0])}:{sign}{number(level[1])}"
        for pair in pairs
        for level, sign in zip(pair, ("", "-"), strict=True)
        if level is not None
    )
    return int.from_bytes(zlib.crc32(text.encode()).to_bytes(4, "big"), "big", signed=True)


def number(text: str) -> str:
    """Return a number as JavaScript prints it: no zeros at its end, exponents below 1e-6."""
    value = Decimal(text).normalize()
    if value.adjusted() >= -6:
        return format(value, "f")
    digits = "".join(map(str, value.as_tuple().digits))
    point = "." if len(digits) > 1 else ""
    return f"{digits[0]}{point}{digits[1:]}e{value.adjusted()}"


def _passes(before: BookState, after: BookState, interval_ns: int) -> bool:
    return before.ts_ns // interval_ns != after.ts_ns // interval_ns


def _lines(kind: str, state: BookState, lines: list[str]) -> str:
    return "\n".join([kind, str(state.venue_seq), *lines])


def _entry(price: str, amount: str, sign: int) -> str:
    if not amount:
        return f"[{number(price)},0,{sign}]"
    return f"[{number(price)},{1 + len(amount) % 7},{'-' if sign < 0 else ''}{number(amount)}]"


def _ticker(state: BookState) -> str:
    best = [*_best(state.bids), *_best(state.asks)]
    return f"[{','.join([*best, '0', '0', best[0], '0', best[0], best[0]])}]"


def _best(side: Levels) -> Iterator[str]:
    return map(number, side[0]) if side else iter(("null", "null"))
