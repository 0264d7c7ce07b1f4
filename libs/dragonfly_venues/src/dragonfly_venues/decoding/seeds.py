"""What all venues' snapshots have in common."""

from __future__ import annotations

from dragonfly_common.types import Side

from dragonfly_venues.decoding.whole_tops import MAX_SEQ, usable
from dragonfly_venues.events import BookTop, FrameError

__all__ = ["best_of"]


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
