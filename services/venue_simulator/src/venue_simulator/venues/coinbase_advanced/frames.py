"""The frames of Advanced Trade's channels. Source: docs.cdp.coinbase.com, "WebSocket Channels".

`level2` arrives as `l2_data`: the whole book, of which levels that nobody has touched are of 1970,
then changes. Numbers have no padding. A message may hold several events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from venue_simulator.book import BookState, TextLevel
from venue_simulator.times import rfc3339
from venue_simulator.venue import BookStream
from venue_simulator.venues.coinbase.listing import changed_sides, whole_sides

__all__ = [
    "BOOKS",
    "HEARTBEATS",
    "NUMBER",
    "TICKER",
    "first_frame",
    "frame",
    "message",
]

BOOKS: Final = "level2"
TICKER: Final = "ticker"
HEARTBEATS: Final = "heartbeats"
NUMBER: Final = "\x00"
"""Where the number stands that a message has on a connection."""
APART_EVERY: Final = 3
"""One change in so many comes as two events of one message."""

Fields = dict[str, object]

_json = msgspec.json.Encoder()


def first_frame(stream: BookStream, state: BookState) -> str | None:
    if stream.kind == TICKER:
        return _ticker(stream, "snapshot", state)
    bids, asks = whole_sides(state)
    near = {*state.bids, *state.asks}

    def time(level: TextLevel) -> int:
        return state.venue_seq if level in near else 0

    return _books(state, [_event(stream, "snapshot", bids, asks, time)])


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    if stream.kind == TICKER:
        same = (before.bids[:1], before.asks[:1]) == (after.bids[:1], after.asks[:1])
        return None if same else _ticker(stream, "update", after)
    bids, asks = changed_sides(before, after, "0")
    if not (bids or asks):
        return None
    apart = bids and asks and after.venue_seq % APART_EVERY == 0
    parts = [(bids, ()), ((), asks)] if apart else [(bids, asks)]

    def time(_: TextLevel) -> int:
        return after.venue_seq

    return _books(after, [_event(stream, "update", *part, time) for part in parts])


def message(channel: str, time_us: int, events: object, number: int | None = None) -> str:
    """Return a message, with its number or a place for it."""
    return (
        f'{{"channel":"{channel}","client_id":"","timestamp":"{_nanoseconds(time_us)}",'
        f'"sequence_num":{NUMBER if number is None else number},'
        f'"events":{_json.encode(events).decode()}}}'
    )


def _books(state: BookState, events: Iterable[Fields]) -> str:
    return message("l2_data", state.venue_seq, events)


def _event(
    stream: BookStream,
    kind: str,
    bids: Iterable[TextLevel],
    asks: Iterable[TextLevel],
    time: Callable[[TextLevel], int],
) -> Fields:
    updates = [
        {
            "side": side,
            "event_time": rfc3339(time(level)),
            "price_level": _unpadded(level[0]),
            "new_quantity": _unpadded(level[1]),
        }
        for side, levels in (("bid", bids), ("offer", asks))
        for level in levels
    ]
    return {"type": kind, "product_id": stream.symbol, "updates": updates}


def _ticker(stream: BookStream, kind: str, state: BookState) -> str | None:
    if not (state.bids and state.asks):
        return None
    (bid, bid_size), (ask, ask_size) = state.bids[0], state.asks[0]
    ticker = {
        "type": "ticker",
        "product_id": stream.symbol,
        "price": bid,
        "best_bid": bid,
        "best_bid_quantity": bid_size,
        "best_ask": ask,
        "best_ask_quantity": ask_size,
    }
    return message(TICKER, state.venue_seq, [{"type": kind, "tickers": [ticker]}])


def _nanoseconds(time_us: int) -> str:
    return f"{rfc3339(time_us)[:-1]}123Z"


def _unpadded(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number
