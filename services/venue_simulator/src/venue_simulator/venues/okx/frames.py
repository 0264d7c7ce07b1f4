"""The frames of OKX's book channels. Source: okx.com/docs-v5, "Order book channel".

`books` begins with a snapshot of 400 levels and goes on with changes; each names the `seqId` that
it follows. `books5` and `bbo-tbt` carry whole tops, when they change; the channels count apart.
"""

from __future__ import annotations

import re
from typing import Final

from venue_simulator.book import BookState, Levels, TextLevel
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = ["CHANNEL_DEPTHS", "DELTAS", "first_frame", "frame", "spoil_checksum"]

DELTAS: Final = "books"
CHANNEL_DEPTHS: Final = {DELTAS: 400, "books5": 5, "bbo-tbt": 1}

_OFFSETS: Final = {"books5": 1_000_003, "bbo-tbt": 2_000_029}
"""They set the numbers of the other channels apart from those of the book."""
_CHECKSUM: Final = re.compile(r'(?<="checksum":)-?\d+')


def first_frame(stream: BookStream, state: BookState) -> str:
    bids, asks = state.bids[: stream.depth], state.asks[: stream.depth]
    if stream.kind == DELTAS:
        return _deltas(stream, "snapshot", state, bids, asks, before=-1)
    return _whole(stream, state, bids, asks)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    old = before.bids[: stream.depth], before.asks[: stream.depth]
    bids, asks = after.bids[: stream.depth], after.asks[: stream.depth]
    if stream.kind == DELTAS:
        # Sent even where both sides are empty: the next one names this one's number.
        changed_bids, changed_asks = (
            changed_levels(was, now, "0") for was, now in zip(old, (bids, asks), strict=True)
        )
        return _deltas(stream, "update", after, changed_bids, changed_asks, before=before.venue_seq)
    return None if old == (bids, asks) else _whole(stream, after, bids, asks)


def spoil_checksum(frame: str) -> str:
    """Return `frame` with a checksum that does not hold, as before June 2026 one could have been.

    It has been 0 since, which means none.
    """
    return _CHECKSUM.sub("-855196043", frame, count=1)


def _deltas(
    stream: BookStream, action: str, state: BookState, bids: Levels, asks: Levels, *, before: int
) -> str:
    return (
        f'{{{_arg(stream)},"action":"{action}","data":[{{"asks":[{_text(asks)}],'
        f'"bids":[{_text(bids)}],"ts":"{_ts(state)}","checksum":0,'
        f'"prevSeqId":{before},"seqId":{state.venue_seq}}}]}}'
    )


def _whole(stream: BookStream, state: BookState, bids: Levels, asks: Levels) -> str:
    return (
        f'{{{_arg(stream)},"data":[{{"asks":[{_text(asks)}],"bids":[{_text(bids)}],'
        f'"ts":"{_ts(state)}","seqId":{state.venue_seq + _OFFSETS[stream.kind]}}}]}}'
    )


def _arg(stream: BookStream) -> str:
    return f'"arg":{{"channel":"{stream.kind}","instId":"{stream.symbol}"}}'


def _ts(state: BookState) -> int:
    return state.ts_ns // 1_000_000


def _text(levels: Levels) -> str:
    return ",".join([_level(level) for level in levels])


def _level(level: TextLevel) -> str:
    price, amount = level
    orders = 0 if amount == "0" else 1 + len(amount) % 7
    return f'["{price}","{amount}","0","{orders}"]'
