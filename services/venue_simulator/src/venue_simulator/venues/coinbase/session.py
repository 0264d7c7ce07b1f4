"""A client's conversation with Coinbase Exchange. Source: docs.cdp.coinbase.com, "Overview".

Each request is answered with a list of all that the connection has subscribed, in which
`level2_batch` is called `level2_50`. A product that is none is an error, and the others of its
request are subscribed. A heartbeat comes every second for each product that asked for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

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
from venue_simulator.venues.coinbase.frames import BOOKS, HEARTBEAT, TICKER

__all__ = ["CoinbaseSession", "accepts"]

HEARTBEAT_INTERVAL_S: Final = 1.0
CHANNELS: Final = {BOOKS: "level2_50", TICKER: TICKER, HEARTBEAT: HEARTBEAT}
"""With the names under which they are listed."""
CLOSED: Final = frozenset({"level2", "level3", "full"})
"""Channels that want a key."""

Fields = dict[str, object]


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Request(msgspec.Struct):
    type: str
    product_ids: list[str] = []
    channels: list[str | _Channel] = []


def accepts(path: str) -> bool:
    """Return whether `path` is the feed's."""
    return urlsplit(path).path in {"", "/"}


class CoinbaseSession(VenueSession):
    """Keeps what a client has subscribed, by channel and product."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._streams: dict[tuple[str, str], BookStream] = {}
        self._heartbeats = 0

    def open(self, now_ns: int) -> Sequence[Action]:
        return [Later(HEARTBEAT_INTERVAL_S, self._beat)]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error("Malformed JSON")]
        if request.type not in {"subscribe", "unsubscribe"}:
            return [_error("Type has to be either subscribe or unsubscribe")]
        named = [
            channel if isinstance(channel, _Channel) else _Channel(channel)
            for channel in request.channels
        ]
        if any(channel.name in CLOSED for channel in named):
            reason = "level2, level3, and full channels now require authentication."
            return [_error("Failed to subscribe", reason)]
        if not named or any(channel.name not in CHANNELS for channel in named):
            names = ", ".join(channel.name for channel in named)
            return [_error("Failed to subscribe", f"{names} is not a valid channel")]
        wanted = [
            (channel.name, product)
            for channel in named
            for product in (channel.product_ids or request.product_ids)
        ]
        if request.type == "unsubscribe":
            ended = [self._streams.pop(key) for key in wanted if key in self._streams]
            return [*map(Unsubscribe, ended), self._subscriptions()]
        unknown = {product for _, product in wanted if self._books.listing(product) is None}
        started = [self._start(*key) for key in wanted if key[1] not in unknown | self._known(key)]
        errors = [
            _error("Failed to subscribe", f"{product} is not a valid product")
            for product in sorted(unknown)
        ]
        return [*errors, self._subscriptions(), *started]

    def announce_close(self, now_ns: int) -> Frame:
        """Return the list of subscriptions: the venue announces no closing."""
        return self._subscriptions().frame

    def _known(self, key: tuple[str, str]) -> set[str]:
        return {key[1]} if key in self._streams else set()

    def _start(self, channel: str, product: str) -> Subscribe:
        stream = BookStream(f"{channel}:{product}", product, channel, 0, best_only=channel != BOOKS)
        self._streams[channel, product] = stream
        return Subscribe(stream, FirstFrame.AT_ONCE)

    def _beat(self, now_ns: int) -> Sequence[Action]:
        self._heartbeats += 1
        beats = [
            Send(
                _json(
                    {
                        "type": HEARTBEAT,
                        "sequence": 1000 * self._heartbeats,
                        "last_trade_id": self._heartbeats,
                        "product_id": product,
                        "time": rfc3339(now_ns // 1000),
                    }
                )
            )
            for channel, product in self._streams
            if channel == HEARTBEAT
        ]
        return [*beats, Later(HEARTBEAT_INTERVAL_S, self._beat)]

    def _subscriptions(self) -> Send:
        products: dict[str, list[str]] = {}
        for channel, product in self._streams:
            products.setdefault(CHANNELS[channel], []).append(product)
        channels = [
            {"name": name, "product_ids": listed, "account_ids": None}
            for name, listed in products.items()
        ]
        return Send(_json({"type": "subscriptions", "channels": channels}))


def _error(message: str, reason: str | None = None) -> Send:
    told = {} if reason is None else {"reason": reason}
    return Send(_json({"type": "error", "message": message, **told}))


def _json(fields: Fields) -> str:
    return json.dumps(fields, separators=(",", ":"))
