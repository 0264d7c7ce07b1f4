"""The frames of Gemini's streams. Source: docs.gemini.com, WebSocket API, "Market data streams".

`lastUpdateId`, `depthUpdate.u` and `bookTicker.u` are one counter, of the whole venue.
"""

from __future__ import annotations

from typing import Final

import msgspec

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream
from venue_simulator.venues.gemini.listing import PRINTED_AMOUNT_DECIMALS

__all__ = ["BEST", "CHANGES", "TOPS", "first_frame", "frame"]

TOPS: Final = "tops"
CHANGES: Final = "changes"
BEST: Final = "bookTicker"

_ZERO: Final = f"{0:.{PRINTED_AMOUNT_DECIMALS}f}"

_json = msgspec.json.Encoder()


def first_frame(stream: BookStream, state: BookState) -> str | None:
    """Return the whole book, in the shape of changes without a range where the stream has those."""
    if stream.kind == BEST:
        return None
    if stream.kind == TOPS:
        return _top(stream, state)
    # The depth is what the connection asked for as its snapshot; None of it: all there is.
    bids, asks = (side[: stream.depth or None] for side in (state.bids, state.asks))
    return _changes(stream, state.venue_seq, state, bids, asks)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind == TOPS:
        return _top(stream, after)
    if stream.kind == CHANGES:
        # In no order: what is gone comes first.
        bids, asks = (
            changed_levels(was, now, _ZERO)[::-1]
            for was, now in ((before.bids, after.bids), (before.asks, after.asks))
        )
        return _changes(stream, before.venue_seq, after, bids, asks)
    if before.bids[:1] == after.bids[:1] and before.asks[:1] == after.asks[:1]:
        return None
    return _best(stream, after)


def _top(stream: BookStream, state: BookState) -> str:
    return _text(
        {
            "lastUpdateId": state.venue_seq,
            "symbol": stream.symbol,
            "bids": state.bids[: stream.depth],
            "asks": state.asks[: stream.depth],
        }
    )


def _changes(stream: BookStream, first: int, state: BookState, bids: Levels, asks: Levels) -> str:
    return _text(
        {
            "e": "depthUpdate",
            "E": state.ts_ns,
            "s": stream.symbol,
            "U": first,
            "u": state.venue_seq,
            "b": bids,
            "a": asks,
        }
    )


def _best(stream: BookStream, state: BookState) -> str:
    bid, bid_amount = state.bids[0] if state.bids else ("", "")
    ask, ask_amount = state.asks[0] if state.asks else ("", "")
    return _text(
        {
            "u": state.venue_seq,
            "E": state.ts_ns,
            "s": stream.symbol,
            "b": bid,
            "B": bid_amount,
            "a": ask,
            "A": ask_amount,
            "c": bid,
            "C": bid_amount,
        }
    )


def _text(fields: dict[str, object]) -> str:
    return _json.encode(fields).decode()
