"""A client's conversation with Bitget. Source: its docs of v2, "WebSocket", and what was measured.

Each argument of a request is answered by itself. A real symbol of another kind of instrument is
acknowledged and then silent. `ping` and `pong` are bare texts, and who sends none is hung up on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.allowance import Allowance
from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    Frame,
    HangUp,
    KeptAlive,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.bitget.frames import BEST, CHANNEL_DEPTHS

__all__ = ["BitgetSession", "accepts"]

PATH: Final = "/v2/ws/public"
MAX_FRAME_BYTES: Final = 4096
MESSAGES_PER_SECOND: Final = 10
ARGUMENTS_BEARABLE: Final = 24
"""More in one frame, and the connection is closed, as was measured."""
SUBSCRIPTIONS_PER_HOUR: Final = 240
STREAMS_PER_CONNECTION: Final = 1000

_SPOT: Final = "SPOT"


class _Arg(msgspec.Struct):
    channel: str
    instType: str = ""  # noqa: N815 -- the venue's spelling
    instId: str = ""  # noqa: N815 -- the venue's spelling


class _Request(msgspec.Struct):
    op: str
    args: list[_Arg]


def accepts(path: str) -> bool:
    """Return whether `path` is the public socket's."""
    return urlsplit(path).path == PATH


class BitgetSession(VenueSession):
    """Answers texts, and each argument of each request."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._streams: dict[tuple[str, str], BookStream] = {}
        self._messages = Allowance(MESSAGES_PER_SECOND, 1.0)
        self._subscriptions = Allowance(SUBSCRIPTIONS_PER_HOUR, 3600.0)

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        now_ns = round(now_ns * self.faster)
        if self._messages.exceeded(now_ns):
            return [HangUp(1008, "too many requests")]
        if frame == b"ping":
            return [Send("pong"), KeptAlive()]
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error(30002, "Illegal request")]
        if len(request.args) > ARGUMENTS_BEARABLE:
            return [HangUp(1008, "")]
        mistake = self._mistake(request, len(frame), now_ns)
        return mistake or [action for arg in request.args for action in self._perform(request, arg)]

    def announce_close(self, now_ns: int) -> Frame:
        """Return a pong, which says nothing: no announcement is documented."""
        return "pong"

    def _mistake(self, request: _Request, size: int, now_ns: int) -> Sequence[Action]:
        if request.op not in {"subscribe", "unsubscribe"}:
            return [_error(30003, "Invalid op", op=request.op)]
        if size > MAX_FRAME_BYTES or not request.args:
            return [_error(30002, "Illegal request", op=request.op)]
        if self._subscriptions.exceeded(now_ns):
            return [_error(30007, "request over limit", op=request.op)]
        return []

    def _perform(self, request: _Request, arg: _Arg) -> Sequence[Action]:
        op = request.op
        depth = CHANNEL_DEPTHS.get(arg.channel)
        if depth is None or self._books.listing(arg.instId) is None:
            names = f"instType:{arg.instType},channel:{arg.channel},instId:{arg.instId}"
            return [_error(30001, f"{names} doesn't exist", arg, op)]
        ack = _reply({"event": op, "arg": msgspec.to_builtins(arg)})
        if arg.instType != _SPOT:
            return [ack]
        key = (arg.channel, arg.instId)
        if op == "unsubscribe":
            known = self._streams.pop(key, None)
            return [ack] if known is None else [ack, Unsubscribe(known)]
        if key in self._streams:
            return [ack]
        if len(self._streams) == STREAMS_PER_CONNECTION:
            return [_error(30006, "too many channels", arg, op)]
        stream = self._streams[key] = BookStream(
            f"{arg.channel}:{arg.instId}",
            arg.instId,
            arg.channel,
            depth,
            best_only=arg.channel == BEST,
        )
        return [ack, Subscribe(stream, FirstFrame.AT_ONCE)]


def _error(code: int, text: str, arg: _Arg | None = None, op: str = "") -> Send:
    named = {} if arg is None else {"arg": msgspec.to_builtins(arg)}
    return _reply({"event": "error", **named, "code": code, "msg": text, "op": op})


def _reply(fields: dict[str, object]) -> Send:
    return Send(json.dumps(fields, separators=(",", ":"), ensure_ascii=False))
