"""Whole books over REST: the part of them that all venues share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, cast
from urllib.parse import quote

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import Decodes, read
from dragonfly_venues.decoding.shapes import MAX_SEQ
from dragonfly_venues.decoding.whole_tops import usable
from dragonfly_venues.events import BookTop, FrameError
from dragonfly_venues.venue import MAX_BOOK_BYTES, SnapshotSource

__all__ = ["Numbered", "NumberedBook", "UnnumberedBook", "best_of", "source"]

_Levels: TypeAlias = tuple[tuple[float, float, *tuple[object, ...]], ...]
"""Price, amount, and what else the levels of one venue have, all of them alike."""


class Numbered(Protocol):
    """A whole book of a reply, with its number among those of the stream."""

    @property
    def seq(self) -> int: ...
    @property
    def bids(self) -> _Levels: ...
    @property
    def asks(self) -> _Levels: ...


class NumberedBook(msgspec.Struct):
    """One of plain levels. A venue's own says how the reply spells it."""

    seq: int
    bids: Side
    asks: Side


class UnnumberedBook(msgspec.Struct):
    """One that has no number in common with the stream. A venue's own adds `bids` and `asks`."""

    @property
    def seq(self) -> int:
        """Return what stands for a number."""
        return 0


def source(
    replies: Decodes[Numbered],
    path: str,
    *,
    spell: Callable[[str], str] = str,
    per_minute: float,
    burst: int,
    levels: int | None = None,
    max_reply_bytes: int = MAX_BOOK_BYTES,
    cached_s: float | None = None,
) -> SnapshotSource:
    """Return where a venue gives whole books.

    Args:
        replies: Decodes a reply to its book.
        path: Of a book, with `{symbol}` where the symbol stands.
        spell: Makes of a stream's symbol what REST calls it.
        per_minute: See `SnapshotSource`; likewise all that follow.
    """

    def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
        book = read(replies, reply)
        return best_of(symbol, depth, book.seq, _plain(book.bids), _plain(book.asks))

    return SnapshotSource(
        path=lambda symbol: path.format(symbol=quote(spell(symbol))),
        parse=parse,
        per_minute=per_minute,
        burst=burst,
        levels=levels,
        max_reply_bytes=max_reply_bytes,
        cached_s=cached_s,
    )


def best_of(symbol: str, depth: int, seq: int, bids: Side, asks: Side) -> BookTop:
    """Return the best `depth` levels a side of a whole book.

    Raises:
        FrameError: `bad_sequence`, `bad_level` or `unsorted`.
    """
    if not 0 <= seq <= MAX_SEQ:
        raise FrameError("bad_sequence", str(seq))
    return BookTop(
        symbol,
        seq,
        None,
        usable(bids, depth, falling=True),
        usable(asks, depth, falling=False),
    )


def _plain(levels: _Levels) -> Side:
    if not levels or len(levels[0]) == 2:
        return cast("Side", levels)
    return tuple([level[:2] for level in levels])
