"""A client's conversation with Bybit. Source: v5/ws/connect of its docs.

A request is answered as a whole: one unknown topic in it refuses it, and so does an eleventh.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    Frame,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.bybit.frames import BEST, INTERVALS_S, counted

__all__ = ["BybitSession", "accepts"]

PATH: Final = "/v5/public/spot"
TOPICS_PER_REQUEST: Final = 10
CHARACTERS_PER_CONNECTION: Final = 21_000


class _Request(msgspec.Struct):
    op: str
    args: list[str] = []
    req_id: str = ""


def accepts(path: str) -> bool:
    """Return whether `path` is the spot socket's."""
    return urlsplit(path).path == PATH


class BybitSession(VenueSession):
    """Answers pings, and each request once."""

    def __init__(self, books: Books, connection_id: int) -> None:
        self._books = books
        self._connection_id = f"00000000-0000-4000-8000-{connection_id:012x}"
        self._streams: dict[str, BookStream] = {}

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [self._answer(_Request(""), "Request failed: Invalid JSON", success=False)]
        match request.op:
            case "ping":
                return [self._answer(request, "pong")]
            case "subscribe":
                return self._subscribe(request)
            case "unsubscribe":
                gone = [self._streams.pop(topic, None) for topic in request.args]
                left = [Unsubscribe(stream) for stream in gone if stream is not None]
                return [self._answer(request, ""), *left]
            case _:
                return [self._answer(request, f"unknown op {request.op}", success=False)]

    def announce_close(self, now_ns: int) -> Frame:
        """Return a pong, which says nothing: no announcement is documented."""
        return self._answer(_Request("ping"), "pong").frame

    def _subscribe(self, request: _Request) -> Sequence[Action]:
        topics = request.args
        if not 1 <= len(topics) <= TOPICS_PER_REQUEST:
            return [self._answer(request, "args size >10", success=False)]
        streams = {topic: self._stream(topic) for topic in topics}
        unknown = [topic for topic, stream in streams.items() if stream is None]
        if unknown:
            text = f"Invalid symbol :[{','.join(unknown)}]"
            return [self._answer(request, text, success=False)]
        held = [topic for topic in topics if topic in self._streams]
        if held:
            text = f"error:already subscribed,topic:{held[0]}"
            return [self._answer(request, text, success=False)]
        if sum(map(len, {*self._streams, *topics})) > CHARACTERS_PER_CONNECTION:
            return [self._answer(request, "args are too long", success=False)]
        new = {topic: stream for topic, stream in streams.items() if stream is not None}
        self._streams.update(new)
        begun = [Subscribe(one, FirstFrame.AT_ONCE, counted()) for one in new.values()]
        return [self._answer(request, "subscribe"), *begun]

    def _stream(self, topic: str) -> BookStream | None:
        kind, _, rest = topic.partition(".")
        depth, _, symbol = rest.partition(".")
        known = kind == "orderbook" and depth in map(str, INTERVALS_S)
        if not known or self._books.listing(symbol) is None:
            return None
        levels, best_only = int(depth), int(depth) == BEST
        interval_s = INTERVALS_S[levels]
        return BookStream(topic, symbol, kind, levels, best_only=best_only, interval_s=interval_s)

    def _answer(self, request: _Request, text: str, *, success: bool = True) -> Send:
        fields: dict[str, object] = {
            "success": success,
            "ret_msg": text,
            "conn_id": self._connection_id,
            **({"req_id": request.req_id} if request.req_id else {}),
            "op": request.op,
        }
        return Send(json.dumps(fields, separators=(",", ":")))
