"""A client's conversation with HTX. Source: HTX spot API docs, "Websocket Market Data".

Changes of books are on one socket (`/feed`), all else on the other (`/ws`). No book comes upon
subscribing changes: it is asked for, once in 100 ms at most, and lags for a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.book import BookState
from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    Frame,
    KeptAlive,
    Question,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.htx import frames

__all__ = ["HtxSession", "accepts"]

WS: Final = "/ws"
FEED: Final = "/feed"
PING_EVERY_S: Final = 5.0
PING_LIMIT_S: Final = 16.0
REQUEST_INTERVAL_NS: Final = 100_000_000
LAG_NS: Final = 1_000_000_000
REQUESTED: Final = frozenset({5, 20, 150})
"""Levels that a request may name."""

Id = str | int | None


class _Request(msgspec.Struct):
    sub: str | list[str] = ""
    unsub: str | list[str] = ""
    req: str = ""
    id: str | int | None = None
    ping: int | None = None
    pong: int | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is one of the two sockets'."""
    return urlsplit(path).path in {WS, FEED}


class HtxSession(VenueSession):
    """Answers each topic of each request."""

    def __init__(self, path: str, books: Books) -> None:
        self._changes = urlsplit(path).path == FEED
        self._books = books
        self._streams: dict[str, BookStream] = {}
        self._stale: dict[str, tuple[int, BookState]] = {}
        """The books, and when, that requests are answered with at first."""
        self._requested_ns = -REQUEST_INTERVAL_NS
        self._asked: int | None = None

    def open(self, now_ns: int) -> Sequence[Action]:
        return [Question(self._ask, PING_EVERY_S, PING_LIMIT_S, 1003, "ping check expired")]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error(None, "not json string", now_ns)]
        if request.ping is not None:
            return [_reply({"pong": request.ping})]
        if request.pong is not None:
            return [KeptAlive()] if request.pong == self._asked else []
        if request.req:
            return [self._pull(request.req, request.id, now_ns)]
        perform, topics = self._subscribe, _each(request.sub)
        if not topics:
            perform, topics = self._unsubscribe, _each(request.unsub)
        if not topics:
            return [_error(request.id, "invalid command", now_ns)]
        return [action for topic in topics for action in perform(topic, request.id, now_ns)]

    def announce_close(self, now_ns: int) -> Frame:
        """Return another question: the venue announces nothing."""
        return self._ask(now_ns)

    def _ask(self, now_ns: int) -> Frame:
        self._asked = now_ns // 1_000_000
        return frames.pack({"ping": self._asked})

    def _subscribe(self, topic: str, request_id: Id, now_ns: int) -> Sequence[Action]:
        stream = self._stream(topic)
        if isinstance(stream, str):
            return [_error(request_id, stream, now_ns)]
        ack = _reply({**_about(request_id, now_ns), "subbed": topic})
        if topic in self._streams:
            return [ack]
        self._streams[topic] = stream
        state = self._books.state(stream.symbol)
        if self._changes and state is not None:
            self._stale[stream.symbol] = now_ns, state
        whole = stream.kind == frames.DEPTH
        return [ack, Subscribe(stream, FirstFrame.AT_ONCE if whole else FirstFrame.ON_CHANGE)]

    def _unsubscribe(self, topic: str, request_id: Id, now_ns: int) -> Sequence[Action]:
        stream = self._streams.pop(topic, None)
        if stream is None:
            return [_error(request_id, f"unsub with not subbed topic {topic}", now_ns)]
        return [_reply({**_about(request_id, now_ns), "unsubbed": topic}), Unsubscribe(stream)]

    def _pull(self, topic: str, request_id: Id, now_ns: int) -> Send:
        stream = self._stream(topic)
        if isinstance(stream, str):
            return _error(request_id, stream, now_ns)
        if stream.kind != frames.MBP or stream.depth not in REQUESTED:
            return _error(request_id, f"invalid topic {topic}", now_ns)
        if now_ns - self._requested_ns < REQUEST_INTERVAL_NS:
            return _error(request_id, f"429 too many request topic is {topic}", now_ns)
        self._requested_ns = now_ns
        since, state = self._stale.get(stream.symbol, (-LAG_NS, None))
        if state is None or now_ns - since >= LAG_NS:
            state = self._books.state(stream.symbol)
        if state is None:
            return _error(request_id, "request timeout", now_ns)
        about = msgspec.json.encode({"rep": topic, **_about(request_id, now_ns)}).decode()
        return Send(frames.pack(f'{about[:-1]},"data":{frames.whole(state, stream.depth)}}}'))

    def _stream(self, topic: str) -> BookStream | str:
        """Return a stream of this socket, or why there is none."""
        stream = frames.stream_of(topic)
        if stream is None or (stream.kind == frames.MBP) is not self._changes:
            return f"invalid topic {topic}"
        listing = self._books.listing(stream.symbol)
        if listing is None:
            return f"invalid symbol {stream.symbol}"
        return stream if listing.tradable else f"symbol {stream.symbol} trade not open now"


def _each(topics: str | Sequence[str]) -> Sequence[str]:
    return [topics] if isinstance(topics, str) and topics else [*topics]


def _about(request_id: Id, now_ns: int) -> dict[str, object]:
    return {"id": request_id, "status": "ok", "ts": now_ns // 1_000_000}


def _error(request_id: Id, text: str, now_ns: int) -> Send:
    about = {**_about(request_id, now_ns), "status": "error"}
    return _reply({**about, "err-code": "bad-request", "err-msg": text})


def _reply(fields: object) -> Send:
    return Send(frames.pack(fields))
