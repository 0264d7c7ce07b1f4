"""A client's conversation with Gate.io. Source: gate.com, "Spot WebSocket v4".

A request is answered as a whole. `spot.obu` acknowledges what it does not know, and is silent then;
what is no JSON gets no answer.
"""

from __future__ import annotations

import json
import re
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
from venue_simulator.venues.gateio.frames import BEST, OBU, TOPS, UPDATES

__all__ = ["GateioSession", "accepts"]

PATH: Final = "/ws/v4/"
CHANNELS: Final = frozenset({OBU, TOPS, UPDATES, BEST})
TOP_LEVELS: Final = ("5", "10", "20", "50", "100")
TOP_INTERVALS: Final = ("100ms", "1000ms")
UPDATE_LEVELS: Final = {"100ms": 100, "20ms": 20}
OBU_INTERVALS_S: Final = {50: 0.02, 400: 0.1}
CLOCK_TOLERANCE_S: Final = 60

_OBU: Final = re.compile(r"ob\.(?P<pair>[A-Z0-9_]+)\.(?P<levels>50|400)")

Fields = dict[str, object]


class _Refused(Exception):  # noqa: N818 -- a reply, not an error
    """The request is refused with this text, as an invalid argument."""


class _Request(msgspec.Struct):
    channel: str
    event: str = ""
    payload: list[str] = []
    time: int | None = None
    id: int | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is the spot socket's."""
    return urlsplit(path).path == PATH


class GateioSession(VenueSession):
    """Knows its streams by channel and name; the same one twice is refused."""

    def __init__(self, books: Books, connection_id: int) -> None:
        self._books = books
        self._connection_id = f"{connection_id:016x}"
        self._streams: dict[tuple[str, str], BookStream] = {}

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except msgspec.ValidationError:
            answer = _answer(now_ns, {"channel": "", "event": ""})
            return [_refusal(answer, 1, "invalid request body format")]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        try:
            return self._perform(request, now_ns)
        except _Refused as refused:
            return [_refusal(self._echo(request, now_ns), 2, str(refused))]

    def _perform(self, request: _Request, now_ns: int) -> Sequence[Action]:
        if request.channel == "spot.ping":
            pong: Fields = {"channel": "spot.pong", "event": "", "error": None, "result": None}
            return [_reply(_answer(now_ns, pong))]
        if request.channel not in CHANNELS:
            raise _Refused(f"Unknown channel {request.channel}")
        # Not enforced of what is in the future: milliseconds are taken too.
        if request.time is not None and now_ns // 10**9 - request.time > CLOCK_TOLERANCE_S:
            raise _Refused(f"invalid argument: time {request.time}")
        names = self._names(request.channel, request.payload)
        match request.event:
            case "subscribe":
                actions = self._subscribe(request.channel, names)
            case "unsubscribe":
                gone = [self._streams.pop((request.channel, name), None) for name in names]
                actions = [Unsubscribe(stream) for stream in gone if stream is not None]
            case event:
                raise _Refused(f"invalid argument: event {event}")
        success = {"error": None, "result": {"status": "success"}}
        return [_reply(self._echo(request, now_ns) | success), *actions]

    def _names(self, channel: str, payload: list[str]) -> dict[str, BookStream | None]:
        """Return the streams that a payload names; None for one that stays silent.

        Raises:
            _Refused: one is not offered.
        """
        if not payload:
            raise _Refused("invalid argument: empty payload")
        if channel == OBU:
            return {name: _obu(name) for name in payload}
        if channel == BEST:
            for pair in payload:
                self._check_pair(pair)
            return {
                pair: BookStream(pair, pair, BEST, 1, best_only=True, interval_s=0.01)
                for pair in payload
            }
        pair, *rest = payload
        self._check_pair(pair)
        levels = _depth(channel, rest)
        interval_s = int(rest[-1].removesuffix("ms")) / 1000
        stream = BookStream("/".join(payload), pair, channel, levels, interval_s=interval_s)
        return {stream.name: stream}

    def _check_pair(self, pair: str) -> None:
        if self._books.listing(pair) is None:
            raise _Refused(f"unknown currency pair: {pair}")

    def _subscribe(self, channel: str, names: dict[str, BookStream | None]) -> list[Action]:
        twice = next((name for name in names if (channel, name) in self._streams), None)
        if twice is not None:
            raise _Refused(f"Alert sub {twice}")
        streams = {name: stream for name, stream in names.items() if stream is not None}
        self._streams |= {(channel, name): stream for name, stream in streams.items()}
        first = FirstFrame.AT_ONCE if channel in {OBU, UPDATES} else FirstFrame.ON_CHANGE
        return [Subscribe(stream, first) for stream in streams.values()]

    def _echo(self, request: _Request, now_ns: int) -> Fields:
        named: Fields = {} if request.id is None else {"id": request.id}
        return _answer(
            now_ns,
            {
                **named,
                "conn_id": self._connection_id,
                "channel": request.channel,
                "event": request.event,
                "payload": request.payload,
            },
        )


def _obu(name: str) -> BookStream | None:
    match = _OBU.fullmatch(name)
    if match is None:
        return None
    levels = int(match["levels"])
    return BookStream(name, match["pair"], OBU, levels, interval_s=OBU_INTERVALS_S[levels])


def _depth(channel: str, rest: list[str]) -> int:
    levels, interval = rest if channel == TOPS and len(rest) == 2 else ("", "".join(rest))
    if channel == TOPS and levels not in TOP_LEVELS:
        raise _Refused(f"provided level not supported: {levels}")
    if interval not in (TOP_INTERVALS if channel == TOPS else UPDATE_LEVELS):
        raise _Refused(f"incorrect update interval specified: {interval}")
    return int(levels) if channel == TOPS else UPDATE_LEVELS[interval]


def _answer(now_ns: int, fields: Fields) -> Fields:
    return {"time": now_ns // 1_000_000_000, "time_ms": now_ns // 1_000_000, **fields}


def _refusal(answer: Fields, code: int, text: str) -> Send:
    error = {"code": code, "message": text}
    return _reply(answer | {"error": error, "result": {"status": "fail"}})


def _reply(fields: Fields) -> Send:
    return Send(json.dumps(fields, separators=(",", ":")))
