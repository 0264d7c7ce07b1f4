"""A client's conversation with Binance.

Source: web-socket-streams.md, "Live Subscribing/Unsubscribing to streams", "General WSS
information". A misspelt stream or an unknown symbol is acknowledged and stays silent for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from venue_simulator.allowance import Allowance
from venue_simulator.venue import (
    Action,
    BookStream,
    FirstFrame,
    HangUp,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.binance import frames
from venue_simulator.venues.binance.api_session import API_PATH

__all__ = ["BinanceSession", "accepts"]

MESSAGES_PER_SECOND: Final = 5
STREAMS_PER_CONNECTION: Final = 1024

_STREAM: Final = re.compile(
    r"(?P<symbol>[^@A-Z]+)@(?:depth(?P<depth>5|10|20)?(?:(?P<fast>@100ms)|@1000ms)?|(?P<ticker>bookTicker))"
)

_Id = int | str | None


class _Request(msgspec.Struct):
    method: str
    params: list[str | bool] = []
    id: int | str | None = None


class _Identified(msgspec.Struct):
    id: int | str | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is `/stream`, `/ws`, `/ws/<stream>`, or the WebSocket API's."""
    bare = urlsplit(path).path
    return bare in {"/stream", "/ws", API_PATH} or bare.startswith("/ws/")


class BinanceSession(VenueSession):
    """Counts, acknowledges, and never says that a stream does not exist."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._combined = urlsplit(path).path == "/stream"
        self._streams: dict[str, BookStream | None] = {}
        self._messages = Allowance(MESSAGES_PER_SECOND, 1.0)

    def open(self, now_ns: int) -> Sequence[Action]:
        """Subscribe what the URL names."""
        parts = urlsplit(self._path)
        if parts.path.startswith("/ws/"):
            names = parts.path.removeprefix("/ws/").split("/")
        else:
            names = parse_qs(parts.query).get("streams", [""])[0].split("/")
        return self._subscribe(name for name in names if name)

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        if self._is_too_much(now_ns):
            return [HangUp(1008, "Too many requests")]
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except msgspec.ValidationError as error:
            return [_error(2, f"Invalid request: {error}", _id_of(frame))]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [_error(3, "Invalid JSON: expected value", None)]
        return self._perform(request)

    def receive_control(self, now_ns: int) -> Sequence[Action]:
        return [HangUp(1008, "Too many requests")] if self._is_too_much(now_ns) else []

    def announce_close(self, now_ns: int) -> str:
        event = f'{{"e":"serverShutdown","E":{now_ns // 1_000_000}}}'
        return f'{{"stream":"!serverShutdown","data":{event}}}' if self._combined else event

    def _is_too_much(self, now_ns: int) -> bool:
        return self._messages.exceeded(round(now_ns * self.faster))

    def _perform(self, request: _Request) -> Sequence[Action]:
        names = [name for name in request.params if isinstance(name, str)]
        ack = _result(None, request.id)
        answer: Sequence[Action]
        match request.method:
            case "SUBSCRIBE" if len(self._streams.keys() | set(names)) > STREAMS_PER_CONNECTION:
                answer = [_error(2, "Invalid request: too many streams", request.id)]
            case "SUBSCRIBE" if names:
                answer = [ack, *self._subscribe(names)]
            case "UNSUBSCRIBE" if names:
                answer = [ack, *self._unsubscribe(names)]
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                answer = [_error(2, "Invalid request: params must name streams", request.id)]
            case "LIST_SUBSCRIPTIONS":
                answer = [_result(list(self._streams), request.id)]
            case "SET_PROPERTY" if request.params[:1] == ["combined"]:
                answer = [ack, *self._combine(request.params[-1] is True)]
            case "SET_PROPERTY":
                answer = [_error(0, "Unknown property", request.id)]
            case method:
                answer = [_error(2, f"Invalid request: unknown variant {method}", request.id)]
        return answer

    def _subscribe(self, names: Iterable[str]) -> list[Action]:
        actions: list[Action] = []
        for name in names:
            if name not in self._streams:
                stream = self._streams[name] = _parse(name, self._combined)
                if stream is not None:
                    actions.append(Subscribe(stream, FirstFrame.ON_CHANGE))
        return actions

    def _unsubscribe(self, names: Iterable[str]) -> list[Action]:
        streams = [self._streams.pop(name, None) for name in names]
        return [Unsubscribe(stream) for stream in streams if stream is not None]

    def _combine(self, combined: bool) -> list[Action]:
        names = list(self._streams)
        ends = self._unsubscribe(names)
        self._combined = combined
        return [*ends, *self._subscribe(names)]


def _parse(name: str, wrapped: bool) -> BookStream | None:
    match = _STREAM.fullmatch(name)
    if match is None:
        return None
    symbol = match["symbol"].upper()
    if match["ticker"]:
        return BookStream(name, symbol, frames.BOOK_TICKER, 1, wrapped, best_only=True)
    kind = frames.PARTIAL if match["depth"] else frames.DIFF
    interval_s = 0.1 if match["fast"] else 1.0
    levels = int(match["depth"] or 0)
    return BookStream(name, symbol, kind, levels, wrapped, interval_s=interval_s)


def _result(result: object, request_id: _Id) -> Send:
    return Send(json.dumps({"result": result, "id": request_id}, separators=(",", ":")))


def _error(code: int, text: str, request_id: _Id) -> Send:
    fields: dict[str, object] = {"code": code, "msg": text}
    if request_id is not None:
        fields["id"] = request_id
    return Send(json.dumps(fields, separators=(",", ":")))


def _id_of(frame: bytes) -> _Id:
    """Return the id of a request that is otherwise wrong, or None where even that is."""
    try:
        return msgspec.json.decode(frame, type=_Identified).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
