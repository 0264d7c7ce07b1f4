"""The frames of Gate.io's book channels. Source: gate.com, "Spot WebSocket v4".

`spot.obu` begins with a whole book and goes on with its changes, which cover the numbers `U` to
`u`. `spot.order_book_update` does so too, in another spelling; `spot.order_book` carries whole
tops, `spot.book_ticker` the best prices. One counter numbers them all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from venue_simulator.book import BookState
from venue_simulator.changes import changed_levels
from venue_simulator.venue import BookStream

__all__ = ["BEST", "OBU", "TOPS", "UPDATES", "first_frame", "frame"]

OBU: Final = "spot.obu"
TOPS: Final = "spot.order_book"
UPDATES: Final = "spot.order_book_update"
BEST: Final = "spot.book_ticker"

_json = msgspec.json.Encoder()

Fields = dict[str, object]


def first_frame(stream: BookStream, state: BookState) -> str | None:
    """Return the whole book where the stream has it; whole tops and best prices come on change."""
    bids, asks = state.bids[: stream.depth], state.asks[: stream.depth]
    match stream.kind:
        case "spot.obu":
            name = {"t": _ms(state), "full": True, "s": stream.name, "u": state.venue_seq}
            return _push(stream, state, {**name, "b": bids, "a": asks})
        case "spot.order_book_update":
            numbers = {"U": state.venue_seq, "u": state.venue_seq}
            fields = _update(stream, state) | numbers | {"b": bids, "a": asks}
            return _push(stream, state, {"full": True} | fields)
        case _:
            return None


def frame(stream: BookStream, before: BookState, after: BookState) -> str | None:
    old = before.bids[: stream.depth], before.asks[: stream.depth]
    new = bids, asks = after.bids[: stream.depth], after.asks[: stream.depth]
    # Sent even where nothing of these levels changed: the next message begins behind it.
    numbers = {"U": before.venue_seq + 1, "u": after.venue_seq}
    changes = {
        side: changed_levels(was, now, "0")
        for side, was, now in zip(("b", "a"), old, new, strict=True)
    }
    match stream.kind:
        case "spot.obu":
            # A side without changes is left out.
            named = {side: levels for side, levels in changes.items() if levels}
            fields: Fields = {"t": _ms(after), "s": stream.name, **numbers, **named}
        case "spot.order_book_update":
            fields = _update(stream, after) | numbers | changes
        case _ if old == new:
            return None
        case "spot.order_book":
            fields = {
                "t": _ms(after),
                "lastUpdateId": after.venue_seq,
                "s": stream.symbol,
                "l": str(stream.depth),
                "bids": bids,
                "asks": asks,
            }
        case _:
            fields = {"t": _ms(after), "u": after.venue_seq, "s": stream.symbol}
            for side, price, amount in ((bids, "b", "B"), (asks, "a", "A")):
                fields[price], fields[amount] = side[0] if side else ("", "")
    return _push(stream, after, fields)


def _update(stream: BookStream, state: BookState) -> Fields:
    seconds = state.ts_ns // 1_000_000_000
    return {
        "t": _ms(state),
        "l": str(stream.depth),
        "e": "depthUpdate",
        "E": seconds,
        "s": stream.symbol,
    }


def _push(stream: BookStream, state: BookState, result: Fields) -> str:
    time = {"time": state.ts_ns // 1_000_000_000, "time_ms": _ms(state)}
    push = {**time, "channel": stream.kind, "event": "update", "result": result}
    return _json.encode(push).decode()


def _ms(state: BookState) -> int:
    return state.ts_ns // 1_000_000
