"""The frames of Deribit's book channels. Source: docs.deribit.com, "Subscriptions".

`book.X.100ms` begins with a snapshot of all levels and goes on with changes; each names the number
that it follows. `book.X.none.N.100ms` and `quote.X` carry whole tops and best prices.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.decimals import print_float
from venue_simulator.venue import BookStream, FirstFrame

__all__ = [
    "DELTAS",
    "first_frame",
    "first_frame_of",
    "frame",
    "levels_text",
    "push",
    "stream_of",
]

DELTAS: Final = "book"
QUOTE: Final = "quote"
PLAIN: Final = range(-4, 3)
"""Powers of ten that it writes without one: 2.2e3."""
REPEATED: Final = 7
"""One whole top in about so many is sent though nothing in it changed."""

_CHANNEL: Final = re.compile(
    r"(?:(?P<quote>quote)\.(?P<quoted>\w+)"
    r"|book\.(?P<symbol>\w+)(?:\.(?P<group>none)\.(?P<levels>1|10|20))?\.(?:100ms|agg2))"
)


def stream_of(channel: str) -> BookStream | None:
    """Return the stream that a channel names, None where there is none."""
    match = _CHANNEL.fullmatch(channel)
    if match is None:
        return None
    if match["quote"]:
        return BookStream(channel, match["quoted"], QUOTE, 1, best_only=True)
    kind = match["group"] or DELTAS
    return BookStream(channel, match["symbol"], kind, int(match["levels"] or 0))


def first_frame_of(stream: BookStream) -> FirstFrame:
    """Return how a stream begins."""
    return FirstFrame.AT_ONCE if stream.kind == DELTAS else FirstFrame.ON_CHANGE


def first_frame(stream: BookStream, state: BookState) -> str | None:
    """Return the snapshot; other channels begin with a change."""
    if stream.kind != DELTAS:
        return None
    sides = _sides([("new", *level) for level in state.bids], [("new", *x) for x in state.asks])
    return push(
        stream.name, f'{{"type":"snapshot",{_about(state)},{_names(stream, state)},{sides}}}'
    )


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind == DELTAS:
        return push(stream.name, _change(stream, before, after))
    depth = stream.depth
    bids, asks = after.bids[:depth], after.asks[:depth]
    same = (bids, asks) == (before.bids[:depth], before.asks[:depth])
    if same and (stream.kind == QUOTE or after.venue_seq % REPEATED):
        return None
    if stream.kind == QUOTE:
        return push(stream.name, _quote(stream, after))
    sides = f'"bids":{levels_text(bids)},"asks":{levels_text(asks)}'
    return push(stream.name, f"{{{_about(after)},{_names(stream, after)},{sides}}}")


def push(channel: str, data: str) -> str:
    """Return the notification of a channel."""
    params = f'{{"channel":"{channel}","data":{data}}}'
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{params}}}'


def levels_text(levels: Levels) -> str:
    """Return whole levels as JSON."""
    return f"[{','.join([f'[{_number(price)},{_number(amount)}]' for price, amount in levels])}]"


def _change(stream: BookStream, before: BookState, after: BookState) -> str:
    sides = _sides(_actions(before.bids, after.bids), _actions(before.asks, after.asks))
    link = f'"prev_change_id":{before.venue_seq}'
    return f'{{"type":"change",{_about(after)},{link},{_names(stream, after)},{sides}}}'


_Action = tuple[str, str, str]


def _actions(before: Levels, after: Levels) -> list[_Action]:
    known = dict(before)
    return [
        ("delete" if amount == "0" else "change" if price in known else "new", price, amount)
        for price, amount in changed_levels(before, after, "0")
    ]


def _sides(bids: Sequence[_Action], asks: Sequence[_Action]) -> str:
    texts = (
        ",".join([f'["{word}",{_number(price)},{_number(amount)}]' for word, price, amount in side])
        for side in (bids, asks)
    )
    return '"bids":[{}],"asks":[{}]'.format(*texts)


def _quote(stream: BookStream, state: BookState) -> str:
    parts = [_about(state), f'"instrument_name":"{stream.symbol}"']
    for name, side in (("bid", state.bids), ("ask", state.asks)):
        price, amount = side[0] if side else (None, "0")
        parts.append(f'"best_{name}_price":{"null" if price is None else _number(price)}')
        parts.append(f'"best_{name}_amount":{_number(amount)}')
    return f"{{{','.join(parts)}}}"


def _about(state: BookState) -> str:
    return f'"timestamp":{state.ts_ns // 1_000_000}'


def _names(stream: BookStream, state: BookState) -> str:
    return f'"instrument_name":"{stream.symbol}","change_id":{state.venue_seq}'


def _number(text: str) -> str:
    return print_float(text, PLAIN, "e")
