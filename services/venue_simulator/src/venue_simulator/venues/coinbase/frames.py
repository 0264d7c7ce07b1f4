"""The frames of Coinbase Exchange's channels. Source: docs.cdp.coinbase.com, "WebSocket Channels".

`level2_batch` begins with the whole book and goes on with changes; a size of 0 removes a price.
`ticker` shows the best prices, as of the last match.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from venue_simulator.book import BookState
from venue_simulator.times import rfc3339
from venue_simulator.venue import BookStream
from venue_simulator.venues.coinbase.listing import changed_sides, whole_sides

__all__ = ["BOOKS", "HEARTBEAT", "TICKER", "first_frame", "frame"]

BOOKS: Final = "level2_batch"
TICKER: Final = "ticker"
HEARTBEAT: Final = "heartbeat"
"""Comes by the clock, whatever the book does."""
GONE: Final = "0.00000000"

_json = msgspec.json.Encoder()


def first_frame(stream: BookStream, state: BookState) -> str | None:
    if stream.kind != BOOKS:
        return _ticker(stream, state) if stream.kind == TICKER else None
    bids, asks = whole_sides(state)
    return _text(
        {
            "type": "snapshot",
            "product_id": stream.symbol,
            "asks": asks,
            "bids": bids,
            "time": rfc3339(state.venue_seq),
        }
    )


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind != BOOKS:
        same = (before.bids[:1], before.asks[:1]) == (after.bids[:1], after.asks[:1])
        return None if same else first_frame(stream, after)
    changes = [*_changes(before, after)]
    if not changes:
        return None
    return _text(
        {
            "type": "l2update",
            "product_id": stream.symbol,
            "changes": changes,
            "time": rfc3339(after.venue_seq),
        }
    )


def _changes(before: BookState, after: BookState) -> Iterator[tuple[str, str, str]]:
    bids, asks = changed_sides(before, after, GONE)
    yield from (("buy", price, size) for price, size in bids)
    yield from (("sell", price, size) for price, size in asks)


def _ticker(stream: BookStream, state: BookState) -> str | None:
    if not (state.bids and state.asks):
        return None
    (bid, bid_size), (ask, ask_size) = state.bids[0], state.asks[0]
    return _text(
        {
            "type": "ticker",
            "sequence": state.venue_seq % 10**9,
            "product_id": stream.symbol,
            "price": bid,
            "best_bid": bid,
            "best_bid_size": bid_size,
            "best_ask": ask,
            "best_ask_size": ask_size,
            "side": "sell",
            "time": rfc3339(state.venue_seq),
            "trade_id": state.venue_seq % 10**6,
            "last_size": bid_size,
        }
    )


def _text(message: object) -> str:
    return _json.encode(message).decode()
