"""The frames of Binance's streams.

Sources: web-socket-streams.md, "Partial Book Depth Streams", "Diff. Depth Stream", "Individual
Symbol Book Ticker Streams". `bookTicker.u`, `depthUpdate.u` and `lastUpdateId` are one counter.
"""

from __future__ import annotations

import msgspec

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream, Frame
from venue_simulator.venues.binance import fix_frames

__all__ = ["BOOK_TICKER", "DIFF", "PARTIAL", "first_frame", "frame"]

PARTIAL = "partial"
DIFF = "diff"
BOOK_TICKER = "bookTicker"

_json = msgspec.json.Encoder()


def first_frame(stream: BookStream, state: BookState) -> Frame | None:
    """Return a whole book where the stream has them; a diff or ticker begins with a change."""
    if stream.kind in fix_frames.KINDS:
        return fix_frames.first_frame(stream, state)
    return _wrap(stream, _partial(stream, state)) if stream.kind == PARTIAL else None


def frame(stream: BookStream, before: BookState, after: BookState) -> Frame | None:
    if stream.kind in fix_frames.KINDS:
        return fix_frames.frame(stream, before, after)
    if stream.kind == PARTIAL:
        payload: str | None = _partial(stream, after)
    elif stream.kind == DIFF:
        payload = _diff(stream, before, after)
    else:
        payload = _ticker(stream, before, after)
    return None if payload is None else _wrap(stream, payload)


def _partial(stream: BookStream, state: BookState) -> str:
    bids, asks = _text(state.bids[: stream.depth]), _text(state.asks[: stream.depth])
    return f'{{"lastUpdateId":{state.venue_seq},"bids":{bids},"asks":{asks}}}'


def _diff(stream: BookStream, before: BookState, after: BookState) -> str:
    zero = "0.00000000"
    bids = _text(changed_levels(before.bids, after.bids, zero))
    asks = _text(changed_levels(before.asks, after.asks, zero))
    return (
        f'{{"e":"depthUpdate","E":{after.ts_ns // 1_000_000},"s":"{stream.symbol}",'
        f'"U":{before.venue_seq + 1},"u":{after.venue_seq},"b":{bids},"a":{asks}}}'
    )


def _ticker(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if before.bids[:1] == after.bids[:1] and before.asks[:1] == after.asks[:1]:
        return None
    bid, bid_amount = after.bids[0] if after.bids else ("0.00000000", "0.00000000")
    ask, ask_amount = after.asks[0] if after.asks else ("0.00000000", "0.00000000")
    return (
        f'{{"u":{after.venue_seq},"s":"{stream.symbol}","b":"{bid}","B":"{bid_amount}",'
        f'"a":"{ask}","A":"{ask_amount}"}}'
    )


def _wrap(stream: BookStream, payload: str) -> str:
    return f'{{"stream":"{stream.name}","data":{payload}}}' if stream.wrapped else payload


def _text(levels: Levels) -> str:
    return _json.encode(levels).decode()
