"""Snapshots: the part of them that all venues share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from dragonfly_common.types import Side

from dragonfly_venues.decoding.frames import Decodes, read
from dragonfly_venues.decoding.shapes import MAX_SEQ
from dragonfly_venues.decoding.whole_tops import usable
from dragonfly_venues.events import BookTop, FrameError

__all__ = ["NumberedBook", "SeedParser", "best_of", "seed_parser"]

SeedParser: TypeAlias = Callable[[bytes, str, int], BookTop]
"""See `SnapshotSource.parse`."""


class NumberedBook(msgspec.Struct):
    """A whole book of a reply. A venue's own says how the reply spells it."""

    seq: int
    bids: Side
    asks: Side


def seed_parser(decoder: Decodes[NumberedBook]) -> SeedParser:
    """Return what reads the best levels of a reply that is a whole book with its number."""

    def parse(reply: bytes, symbol: str, depth: int) -> BookTop:
        book = read(decoder, reply)
        return best_of(symbol, depth, book.seq, book.bids, book.asks)

    return parse


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
