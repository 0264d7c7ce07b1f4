"""A client's conversation with Advanced Trade. Source: docs.cdp.coinbase.com, "WebSocket Overview".

A request names one channel, and is answered with all that the connection has subscribed. Every
message but errors has a number, which counts those of the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final

import msgspec

from venue_simulator.times import rfc3339
from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    Frame,
    Later,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.coinbase_advanced.frames import (
    BOOKS,
    HEARTBEATS,
    NUMBER,
    TICKER,
    message,
)
from venue_simulator.venues.coinbase_advanced.rest import true_name

__all__ = ["CoinbaseAdvancedSession"]

HEARTBEAT_INTERVAL_S: Final = 1.0
CHANNELS: Final = frozenset({BOOKS, TICKER, HEARTBEATS})


class _Request(msgspec.Struct):
    type: str
    channel: str = ""
    product_ids: list[str] = []


class CoinbaseAdvancedSession(VenueSession):
    """Keeps what a client has subscribed, and counts what it is sent."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._streams: dict[tuple[str, str], BookStream] = {}
        self._numbers = count()
        self._beats = count(1)

    def open(self, now_ns: int) -> Sequence[Action]:
        return [Later(HEARTBEAT_INTERVAL_S, self._beat)]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error("failed to parse message")]
        if request.type not in {"subscribe", "unsubscribe"} or request.channel not in CHANNELS:
            return [_error(f"invalid channel or type: {request.channel} {request.type}")]
        # Heartbeats are of no product.
        asked = [HEARTBEATS] if request.channel == HEARTBEATS else request.product_ids
        keys = [(request.channel, true_name(product, self._books)) for product in asked]
        if request.type == "unsubscribe":
            ended = [self._streams.pop(key) for key in keys if key in self._streams]
            return [*map(Unsubscribe, ended), self._subscriptions(now_ns)]
        unknown = [
            product
            for channel, product in keys
            if channel != HEARTBEATS and self._books.listing(product) is None
        ]
        if unknown or not keys:
            return [_error(f"invalid product_ids: {', '.join(unknown)}")]
        started = [self._start(*key) for key in dict.fromkeys(keys) if key not in self._streams]
        return [self._subscriptions(now_ns), *started]

    def announce_close(self, now_ns: int) -> Frame:
        """Return the list of subscriptions: the venue announces no closing."""
        return self._subscriptions(now_ns).frame

    def _start(self, channel: str, product: str) -> Subscribe:
        name, best_only = f"{channel}:{product}", channel != BOOKS
        stream = BookStream(name, product, channel, 0, best_only=best_only)
        self._streams[channel, product] = stream
        return Subscribe(stream, FirstFrame.AT_ONCE, self._number)

    def _number(self, frame: Frame) -> Sequence[Frame]:
        assert isinstance(frame, str)
        return [frame.replace(NUMBER, str(next(self._numbers)), 1)]

    def _beat(self, now_ns: int) -> Sequence[Action]:
        again = Later(HEARTBEAT_INTERVAL_S, self._beat)
        if (HEARTBEATS, HEARTBEATS) not in self._streams:
            return [again]
        beat = {
            "current_time": rfc3339(now_ns // 1000),
            "heartbeat_counter": str(next(self._beats)),
        }
        return [self._reply(HEARTBEATS, now_ns, [beat]), again]

    def _subscriptions(self, now_ns: int) -> Send:
        products: dict[str, list[str]] = {}
        for channel, product in self._streams:
            products.setdefault(channel, []).append(product)
        return self._reply("subscriptions", now_ns, [{"subscriptions": products}])

    def _reply(self, channel: str, now_ns: int, events: object) -> Send:
        return Send(message(channel, now_ns // 1000, events, next(self._numbers)))


def _error(text: str) -> Send:
    return Send(msgspec.json.encode({"type": "error", "message": text}).decode())
