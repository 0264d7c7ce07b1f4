"""A client's conversation with KuCoin. Source: docs.kucoin.com, "Websocket Broadcast".

The venue speaks first. It acknowledges only where that is asked for, unknown symbols too, which
then stay silent for ever.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from venue_simulator.venue import (
    Action,
    BookStream,
    FirstFrame,
    Frame,
    KeptAlive,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.kucoin.frames import BEST, TOPICS
from venue_simulator.venues.kucoin.tokens import query_of

__all__ = ["KucoinSession"]

Fields = dict[str, object]


class _Request(msgspec.Struct):
    type: str
    id: str = ""
    topic: str = ""
    response: bool = False


class KucoinSession(VenueSession):
    """One topic a request, of one symbol or many."""

    def __init__(self, path: str) -> None:
        self._connection_id = query_of(path)[1]
        self._streams: dict[str, BookStream] = {}

    def open(self, now_ns: int) -> Sequence[Action]:
        return [_reply({"id": self._connection_id, "type": "welcome"})]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error("", 400, "Data is malformed")]
        match request.type:
            case "ping":
                pong = {"id": request.id, "type": "pong", "timestamp": now_ns // 1000}
                return [_reply(pong), KeptAlive()]
            case "subscribe" | "unsubscribe":
                return self._each_symbol(request)
            case _:
                return [_error(request.id, 400, "type is not supported")]

    def announce_close(self, now_ns: int) -> Frame:
        return _error("", 509, "the connection will be rebalanced").frame

    def _each_symbol(self, request: _Request) -> Sequence[Action]:
        kind, _, symbols = request.topic.partition(":")
        if kind not in TOPICS or not symbols:
            return [_error(request.id, 404, "topic does not exist")]
        perform = self._subscribe if request.type == "subscribe" else self._unsubscribe
        acks: list[Action] = [_reply({"id": request.id, "type": "ack"})] if request.response else []
        return [
            *acks,
            *(action for symbol in symbols.split(",") for action in perform(kind, symbol)),
        ]

    def _subscribe(self, kind: str, symbol: str) -> Sequence[Action]:
        name = f"{kind}:{symbol}"
        if name in self._streams:
            return []
        stream = BookStream(name, symbol, kind, TOPICS[kind], best_only=kind == BEST)
        self._streams[name] = stream
        return [Subscribe(stream, FirstFrame.ON_CHANGE)]

    def _unsubscribe(self, kind: str, symbol: str) -> Sequence[Action]:
        stream = self._streams.pop(f"{kind}:{symbol}", None)
        return [] if stream is None else [Unsubscribe(stream)]


def _error(request_id: str, code: int, text: str) -> Send:
    return _reply({"id": request_id, "type": "error", "code": code, "data": text})


def _reply(fields: Fields) -> Send:
    return Send(json.dumps(fields, separators=(",", ":")))
