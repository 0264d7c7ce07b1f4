"""A client's conversation with Gemini. Source: docs.gemini.com, WebSocket API.

One stream that is not known refuses the whole request. Where the connection asked for snapshots,
the first books come before the acknowledgement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

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
from venue_simulator.venues.gemini.frames import BEST, CHANGES, TOPS

__all__ = ["GeminiSession", "accepts"]

_STREAM: Final = re.compile(
    r"(?P<symbol>[^@]+)@(?:depth(?P<depth>5|10|20)?(?P<fast>@100ms)?|(?P<ticker>bookTicker))"
)
_SNAPSHOT: Final = re.compile(r"-1|\d{1,6}")

_Id = int | str | None


class _Request(msgspec.Struct):
    method: str
    params: list[str] = []
    id: int | str | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is the root, with a snapshot that can be or none."""
    parts = urlsplit(path)
    return parts.path in {"", "/"} and bool(_SNAPSHOT.fullmatch(_snapshot(path)))


class GeminiSession(VenueSession):
    """Acknowledges whole requests, or refuses them."""

    def __init__(self, path: str, books: Books) -> None:
        self._books = books
        self._snapshot = int(_snapshot(path))
        self._streams: dict[str, BookStream] = {}

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_error(None, -1013, "Invalid request")]
        return self._perform(request, [name.lower() for name in request.params])

    def _perform(self, request: _Request, names: Sequence[str]) -> Sequence[Action]:
        match request.method.lower():
            case "subscribe" if names:
                return self._subscribe(request.id, names)
            case "unsubscribe" if names:
                gone = [self._streams.pop(name, None) for name in names]
                return [_ok(request.id), *(Unsubscribe(one) for one in gone if one is not None)]
            case "subscribe" | "unsubscribe":
                return [_error(request.id, -1013, "Invalid request: no streams")]
            case "list_subscriptions":
                return [_ok(request.id, result=list(self._streams))]
            case "ping":
                return [_ok(request.id)]
            case _:
                return [_error(request.id, -1020, f"Unsupported method: {request.method}")]

    def _subscribe(self, request_id: _Id, names: Iterable[str]) -> Sequence[Action]:
        streams = {}
        for name in names:
            stream = self._stream(name)
            if stream is None:
                return [_error(request_id, -1013, f"Invalid stream name: {name}")]
            streams[name] = stream
        new = [stream for name, stream in streams.items() if name not in self._streams]
        self._streams |= streams
        return [*(Subscribe(stream, self._first(stream)) for stream in new), _ok(request_id)]

    def _first(self, stream: BookStream) -> FirstFrame:
        """Return how a stream begins; whole tops come by the clock, so at once."""
        at_once = stream.kind == TOPS or (stream.kind == CHANGES and self._snapshot)
        return FirstFrame.AT_ONCE if at_once else FirstFrame.ON_CHANGE

    def _stream(self, name: str) -> BookStream | None:
        match = _STREAM.fullmatch(name.replace("bookticker", BEST))
        if match is None or self._books.listing(match["symbol"]) is None:
            return None
        symbol = match["symbol"]
        if match["ticker"]:
            return BookStream(name, symbol, BEST, 1, best_only=True)
        kind, levels = (TOPS, int(match["depth"])) if match["depth"] else (CHANGES, self._snapshot)
        interval_s = 0.1 if match["fast"] else 1.0
        return BookStream(name, symbol, kind, max(levels, 0), interval_s=interval_s)


def _snapshot(path: str) -> str:
    return parse_qs(urlsplit(path).query).get("snapshot", ["0"])[0]


def _ok(request_id: _Id, **more: object) -> Send:
    return _reply({"id": request_id, "status": 200, **more})


def _error(request_id: _Id, code: int, text: str) -> Send:
    return _reply({"id": request_id, "status": 400, "error": {"code": code, "msg": text}})


def _reply(fields: dict[str, object]) -> Send:
    return Send(json.dumps(fields, separators=(",", ":")))
