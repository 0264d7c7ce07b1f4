"""The frames of KuCoin's book topics. Source: docs.kucoin.com, "Level-2 Market Data".

`/market/level2` sends each change of the whole book, numbered one by one and several to a message;
`/spotMarket/level2Depth5` and `Depth50` send whole tops, `/spotMarket/level1` the best prices.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count
from typing import Final

import msgspec

from venue_simulator.book import BookState, Levels
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = ["BEST", "DELTAS", "TOPICS", "first_frame", "frame"]

DELTAS: Final = "/market/level2"
BEST: Final = "/spotMarket/level1"
TOPICS: Final = {
    DELTAS: 0,
    BEST: 1,
    "/spotMarket/level2Depth5": 5,
    "/spotMarket/level2Depth50": 50,
}
"""With the levels that a topic shows."""
EVENT_EVERY: Final = 3
"""One message in so many has a change without a level, as those of hidden orders."""

_json = msgspec.json.Encoder()


def first_frame(stream: BookStream, state: BookState) -> str | None:
    """Return nothing: every topic begins with a change."""
    return None


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind == DELTAS:
        return _deltas(stream, before, after)
    depth = stream.depth
    bids, asks = after.bids[:depth], after.asks[:depth]
    if (bids, asks) == (before.bids[:depth], before.asks[:depth]):
        return None
    if stream.kind == BEST:
        best = {"asks": asks[0] if asks else (), "bids": bids[0] if bids else ()}
        return _message(stream, "level1", {**best, "timestamp": _ms(after)})
    return _message(stream, "level2", {"asks": asks, "bids": bids, "timestamp": _ms(after)})


def _deltas(stream: BookStream, before: BookState, after: BookState) -> str:
    first, last = before.venue_seq + 1, after.venue_seq
    numbers = (min(number, last) for number in chain(range(first, last + 1), count(last)))
    bids = _numbered(changed_levels(before.bids, after.bids, "0"), numbers)
    asks = _numbered(changed_levels(before.asks, after.asks, "0"), numbers)
    if last % EVENT_EVERY == 0 or not (bids or asks):
        asks.append(("0", "0", str(last)))
    data = {
        "changes": {"asks": asks, "bids": bids},
        "sequenceEnd": last,
        "sequenceStart": first,
        "symbol": stream.symbol,
        "time": _ms(after),
    }
    return _message(stream, "trade.l2update", data)


def _numbered(levels: Levels, numbers: Iterator[int]) -> list[tuple[str, str, str]]:
    return [(price, amount, str(next(numbers))) for price, amount in levels]


def _message(stream: BookStream, subject: str, data: object) -> str:
    return (
        f'{{"topic":"{stream.name}","type":"message","subject":"{subject}",'
        f'"data":{_json.encode(data).decode()}}}'
    )


def _ms(state: BookState) -> int:
    return state.ts_ns // 1_000_000
