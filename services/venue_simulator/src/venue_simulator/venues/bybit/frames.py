"""The frames of Bybit's book topics. Source: v5/websocket/public/orderbook.mdx.

`orderbook.1` carries snapshots alone. The deeper ones begin with one and go on with deltas, in
which a level that leaves the window is deleted; each topic counts its messages by itself in `u`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from venue_simulator.book import BookState, Levels, pairs
from venue_simulator.changes import changed_levels
from venue_simulator.venue import Address, BookStream, Frame
from venue_simulator.venues.bybit.listing import SEQS_A_MESSAGE

__all__ = [
    "BEST",
    "DEEPEST",
    "INTERVALS_S",
    "counted",
    "first_frame",
    "frame",
    "number",
]

BEST: Final = 1
DEEPEST: Final = 1000
INTERVALS_S: Final = {BEST: 0.01, 50: 0.02, 200: 0.1, DEEPEST: 0.2}
"""How often the topics are sent, by their levels."""

_COUNT: Final = '"u":'
_APART: Final = 100_003
"""Sets the counts of the topics apart, by level."""


def number(state: BookState, depth: int) -> int:
    """Return the `u` of a state in the topic of so many levels."""
    return state.venue_seq // SEQS_A_MESSAGE + depth * _APART


def first_frame(stream: BookStream, state: BookState) -> str:
    bids, asks = state.bids[: stream.depth], state.asks[: stream.depth]
    return _message(stream, "snapshot", state, bids, asks)


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    depth = stream.depth
    old, new = ((state.bids[:depth], state.asks[:depth]) for state in (before, after))
    if depth == BEST:
        return None if old == new else _message(stream, "snapshot", after, *new)
    # Sent even where both sides are empty: a change deeper down has its number too.
    bids, asks = (changed_levels(was, now, "0") for was, now in zip(old, new, strict=True))
    return _message(stream, "delta", after, bids, asks)


def counted() -> Address:
    """Return what numbers the messages of one subscription, however many states each of them is."""
    last: int | None = None

    def count(frame: Frame) -> Sequence[Frame]:
        nonlocal last
        assert isinstance(frame, str)
        head, mark, rest = frame.rpartition(_COUNT)
        number, comma, tail = rest.partition(",")
        last = int(number) if last is None else last + 1
        return [f"{head}{mark}{last}{comma}{tail}"]

    return count


def _message(stream: BookStream, kind: str, state: BookState, bids: Levels, asks: Levels) -> str:
    ts = state.ts_ns // 1_000_000
    return (
        f'{{"topic":"{stream.name}","ts":{ts},"type":"{kind}","data":{{"s":"{stream.symbol}",'
        f'"b":[{pairs(bids)}],"a":[{pairs(asks)}],"u":{number(state, stream.depth)},'
        f'"seq":{state.venue_seq}}},"cts":{ts}}}'
    )
