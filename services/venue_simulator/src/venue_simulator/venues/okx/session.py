"""A client's conversation with OKX. Source: okx.com/docs-v5, "WebSocket", "Subscribe".

Each argument of a request is answered by itself. `ping` and `pong` are bare texts.
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
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.okx.frames import CHANNEL_DEPTHS

__all__ = ["OkxSession", "accepts"]

PATH: Final = "/ws/v5/public"
MAX_FRAME_BYTES: Final = 64 * 1024

Fields = dict[str, object]


class _Arg(msgspec.Struct):
    channel: str
    instId: str = ""  # noqa: N815 -- the venue's spelling


class _Request(msgspec.Struct):
    op: str
    args: list[_Arg]
    id: str | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is the public socket's."""
    return urlsplit(path).path == PATH


class OkxSession(VenueSession):
    """Answers texts, and each argument of each request."""

    def __init__(self, books: Books, connection_id: int) -> None:
        self._books = books
        self._connection_id = f"{connection_id:016x}"[-8:]
        self._streams: dict[tuple[str, str], BookStream] = {}

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        if frame == b"ping":
            return [Send("pong")]
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [
                self._error(None, "60012", f"Invalid request: {frame.decode(errors='replace')}")
            ]
        known = request.op in {"subscribe", "unsubscribe"} and request.args
        if len(frame) > MAX_FRAME_BYTES or not known:
            return [self._error(request.id, "60012", f"Invalid request: {request.op}")]
        return [action for arg in request.args for action in self._perform(request, arg)]

    def announce_close(self, now_ns: int) -> str:
        return _json(
            {
                "event": "notice",
                "code": "64008",
                "msg": "The connection will soon be closed for a service upgrade. "
                "Please reconnect.",
                "connId": self._connection_id,
            }
        )

    def _perform(self, request: _Request, arg: _Arg) -> Sequence[Action]:
        key = (arg.channel, arg.instId)
        depth = CHANNEL_DEPTHS.get(arg.channel)
        if depth is None or self._books.listing(arg.instId) is None:
            text = f"Wrong URL or channel:{arg.channel},instId:{arg.instId} doesn't exist."
            return [self._error(request.id, "60018", f"{text} Please use the correct URL.")]
        ack = self._ack(request, arg)
        if request.op == "unsubscribe":
            known = self._streams.pop(key, None)
            return [ack] if known is None else [ack, Unsubscribe(known)]
        if key in self._streams:
            return [ack]
        stream = self._streams[key] = BookStream(
            f"{arg.channel}:{arg.instId}",
            arg.instId,
            arg.channel,
            depth,
            best_only=arg.channel == "bbo-tbt",
        )
        return [ack, Subscribe(stream, FirstFrame.AT_ONCE)]

    def _ack(self, request: _Request, arg: _Arg) -> Send:
        fields: Fields = {"event": request.op, "arg": msgspec.to_builtins(arg)}
        return self._answer(request.id, fields)

    def _error(self, request_id: str | None, code: str, text: str) -> Send:
        return self._answer(request_id, {"event": "error", "code": code, "msg": text})

    def _answer(self, request_id: str | None, fields: Fields) -> Send:
        named = {} if request_id is None else {"id": request_id}
        return Send(_json({**named, **fields, "connId": self._connection_id}))


def _json(fields: Fields) -> str:
    return json.dumps(fields, separators=(",", ":"))
