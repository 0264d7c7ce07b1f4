"""The frames of Bitget's book channels. Source: its docs of v2, "Depth Channel".

`books` begins with a snapshot of 500 levels and goes on with updates, each of which names the `seq`
that it follows; the others carry whole tops, when they change. There are no checksums, as since
2026.
"""

from __future__ import annotations

from typing import Final

from venue_simulator.book import BookState, Levels, pairs
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = ["BEST", "CHANNEL_DEPTHS", "DELTAS", "first_frame", "frame", "spoil_checksum"]

DELTAS: Final = "books"
BEST: Final = "books1"
CHANNEL_DEPTHS: Final = {DELTAS: 500, BEST: 1, "books5": 5, "books15": 15}


def first_frame(stream: BookStream, state: BookState) -> str:
    bids, asks = state.bids[: stream.depth], state.asks[: stream.depth]
    return _message(stream, "snapshot", state, bids, asks)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    depth = stream.depth
    old, new = ((state.bids[:depth], state.asks[:depth]) for state in (before, after))
    if stream.kind != DELTAS:
        return None if old == new else _message(stream, "snapshot", after, *new)
    # Sent even where both sides are empty: the next one names this one's number.
    bids, asks = (changed_levels(was, now, "0") for was, now in zip(old, new, strict=True))
    return _message(stream, "update", after, bids, asks, pseq=before.venue_seq)


def spoil_checksum(frame: str) -> str:
    """Return `frame` with a checksum that does not hold, as until 2026 one could have been."""
    return frame.replace('"seq":', '"checksum":-855196043,"seq":', 1)


def _message(
    stream: BookStream,
    action: str,
    state: BookState,
    bids: Levels,
    asks: Levels,
    *,
    pseq: int = 0,
) -> str:
    ts = state.ts_ns // 1_000_000
    return (
        f'{{"action":"{action}","arg":{{"instType":"SPOT","channel":"{stream.kind}",'
        f'"instId":"{stream.symbol}"}},"data":[{{"asks":[{pairs(asks)}],"bids":[{pairs(bids)}],'
        f'"seq":{state.venue_seq},"pseq":{pseq},"ts":"{ts}"}}],"ts":{ts}}}'
    )
