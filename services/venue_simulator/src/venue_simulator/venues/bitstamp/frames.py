"""The frames of Bitstamp's book channels.

`order_book_` carries 100 levels whole, `diff_order_book_` changes.

Source: bitstamp.net/websocket/v2, "Live order book", "Live full order book".
"""

from __future__ import annotations

from typing import Final

import msgspec

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = ["DIFF", "WHOLE", "WHOLE_DEPTH", "first_frame", "frame"]

WHOLE = "order_book"
DIFF = "diff_order_book"
WHOLE_DEPTH: Final = 100

ZEROES: Final = ("0", "0.00000", "0.00000000")
"""All spellings of a removed level that were seen."""

_json = msgspec.json.Encoder()


def first_frame(stream: BookStream, state: BookState) -> str | None:
    """Return a whole book where the channel has them; the diff channel begins with a change."""
    if stream.kind != WHOLE:
        return None
    return _message(stream, state, state.bids[:WHOLE_DEPTH], state.asks[:WHOLE_DEPTH])


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind == WHOLE:
        return first_frame(stream, after)
    zero = ZEROES[after.venue_seq % len(ZEROES)]
    bids = changed_levels(before.bids, after.bids, zero)
    asks = changed_levels(before.asks, after.asks, zero)
    return _message(stream, after, bids, asks) if bids or asks else None


def _message(stream: BookStream, state: BookState, bids: Levels, asks: Levels) -> str:
    return (
        f'{{"data":{{"timestamp":"{state.venue_seq // 1_000_000}",'
        f'"microtimestamp":"{state.venue_seq}",'
        f'"bids":{_json.encode(bids).decode()},"asks":{_json.encode(asks).decode()}}},'
        f'"channel":"{stream.name}","event":"data"}}'
    )
