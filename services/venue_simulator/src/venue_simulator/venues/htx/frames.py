"""The frames of HTX's book topics. Source: HTX spot API docs, "Websocket Market Data".

Every frame is a gzip member. `depth` and `mbp.refresh` carry whole tops, `bbo` the best prices,
`mbp` changes that name the number they follow. Numbers are printed as Java prints doubles.
"""

from __future__ import annotations

import gzip
import json
import re
from typing import Final

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.decimals import print_float
from venue_simulator.venue import BookStream, Frame

__all__ = [
    "DEPTH",
    "DEPTH_LEVELS",
    "MBP",
    "first_frame",
    "frame",
    "levels_text",
    "pack",
    "stream_of",
    "whole",
]

BEST: Final = "bbo"
DEPTH: Final = "depth.step0"
REFRESH: Final = "mbp.refresh"
MBP: Final = "mbp"
DEPTH_LEVELS: Final = 150
JAVA_PLAIN: Final = range(-3, 7)
"""Powers of ten that `Double.toString` writes without one."""
SMALL_MBP: Final = 20
"""Up to so many levels, a side without a change is left out."""


_TOPIC: Final = re.compile(
    r"market\.(?P<symbol>[a-z0-9]+)"
    r"\.(?P<kind>bbo|depth\.step0|mbp\.refresh|mbp)(?:\.(?P<levels>\d+))?"
)
_LEVELS: Final[dict[str, dict[str | None, int]]] = {
    BEST: {None: 1},
    DEPTH: {None: DEPTH_LEVELS},
    REFRESH: {"5": 5, "10": 10, "20": 20},
    MBP: {"5": 5, "20": 20, "150": 150, "400": 400},
}
"""Of each kind of topic, as topics name them."""


def stream_of(topic: str) -> BookStream | None:
    """Return the stream that a topic names, None where there is none."""
    match = _TOPIC.fullmatch(topic)
    levels = None if match is None else _LEVELS[match["kind"]].get(match["levels"])
    if match is None or levels is None:
        return None
    kind = match["kind"]
    return BookStream(topic, match["symbol"], kind, levels, best_only=kind == BEST)


def pack(fields: object) -> bytes:
    """Return `fields` as the venue sends them, or a text that is JSON already."""
    text = fields if isinstance(fields, str) else json.dumps(fields, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)


def first_frame(stream: BookStream, state: BookState) -> Frame | None:
    """Return the whole depth; all other topics begin with a change."""
    return frame(stream, state, state) if stream.kind == DEPTH else None


def frame(stream: BookStream, before: BookState, after: BookState) -> Frame | None:
    depth = stream.depth
    if stream.kind == MBP:
        return _push(stream, after, _changes(depth, before, after))
    old, new = (before.bids[:depth], before.asks[:depth]), (after.bids[:depth], after.asks[:depth])
    if before is not after and old == new:
        return None
    match stream.kind:
        case kind if kind == BEST:
            return _push(stream, after, _best(stream, after))
        case kind if kind == DEPTH:
            sides = f'"bids":{levels_text(new[0])},"asks":{levels_text(new[1])}'
            ts = f'"version":{after.venue_seq},"ts":{_ms(after)}'
            return _push(stream, after, f"{{{sides},{ts}}}")
        case _:
            return _push(stream, after, whole(after, depth))


def whole(state: BookState, depth: int) -> str:
    """Return a numbered book of so many levels a side."""
    bids, asks = levels_text(state.bids[:depth]), levels_text(state.asks[:depth])
    return f'{{"seqNum":{state.venue_seq},"bids":{bids},"asks":{asks}}}'


def levels_text(levels: Levels) -> str:
    """Return levels as JSON."""
    return f"[{','.join([f'[{_java(price)},{_java(amount)}]' for price, amount in levels])}]"


def _changes(depth: int, before: BookState, after: BookState) -> str:
    sides = {
        "bids": changed_levels(before.bids[:depth], after.bids[:depth], "0"),
        "asks": changed_levels(before.asks[:depth], after.asks[:depth], "0"),
    }
    told = [
        f',"{name}":{levels_text(side)}'
        for name, side in sides.items()
        if side or depth > SMALL_MBP
    ]
    numbers = f'"seqNum":{after.venue_seq},"prevSeqNum":{before.venue_seq}'
    return f"{{{numbers}{''.join(told)}}}"


def _best(stream: BookStream, state: BookState) -> str:
    (bid, bid_size), (ask, ask_size) = (
        side[0] if side else ("0", "0") for side in (state.bids, state.asks)
    )
    return (
        f'{{"seqId":{state.venue_seq},"ask":{_java(ask)},"askSize":{_java(ask_size)},'
        f'"bid":{_java(bid)},"bidSize":{_java(bid_size)},"quoteTime":{_ms(state)},'
        f'"symbol":"{stream.symbol}"}}'
    )


def _push(stream: BookStream, state: BookState, tick: str) -> bytes:
    return pack(f'{{"ch":"{stream.name}","ts":{_ms(state)},"tick":{tick}}}')


def _ms(state: BookState) -> int:
    return state.ts_ns // 1_000_000


def _java(text: str) -> str:
    return print_float(text, JAVA_PLAIN, "E")
