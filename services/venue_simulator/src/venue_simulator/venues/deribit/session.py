"""A client's conversation with Deribit. Source: docs.deribit.com, "JSON-RPC", "Session management".

A channel that is unknown is left out of the answer, and that is all that is said of it. Who wants a
heartbeat is asked by it for a sign of life.
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
    KeptAlive,
    Question,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.deribit import frames

__all__ = ["DeribitSession", "accepts"]

PATH: Final = "/ws/api/v2"
PLATFORM: Final = "platform_state"
LEAST_HEARTBEAT_S: Final = 10
ANSWER_WITHIN_S: Final = 10.0
MOST_CREDITS: Final = 30_000
CREDITS_PER_S: Final = 10_000
SUBSCRIPTION_COSTS: Final = 3_000

TEST_REQUEST: Final = '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'

Id = str | int | None
Result = dict[str, object]


class _Params(msgspec.Struct, frozen=True):
    channels: list[str] = []
    interval: float = 0.0


class _Request(msgspec.Struct):
    method: str
    id: str | int | None = None
    params: _Params = _Params()


def accepts(path: str) -> bool:
    """Return whether `path` is the socket's."""
    return urlsplit(path).path == PATH


class DeribitSession(VenueSession):
    """Echoes ids, and spends credits."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._streams: dict[str, BookStream] = {}
        self._follows_platform = False
        self._heartbeat = False
        self._credits = float(MOST_CREDITS)
        self._credited_ns = 0

    def open(self, now_ns: int) -> Sequence[Action]:
        self._credited_ns = now_ns
        return []

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except msgspec.ValidationError as error:
            return [_error(None, -32600, f"Invalid Request: {error}", now_ns)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [_error(None, -32700, "Parse error", now_ns)]
        match request.method:
            case "public/subscribe" | "public/unsubscribe":
                return self._perform(request, now_ns)
            case "public/set_heartbeat":
                return self._beat(request, now_ns)
            case "public/test":
                return [_result(request.id, {"version": "1.2.26"}, now_ns), KeptAlive()]
            case _:
                return [_error(request.id, -32601, "Method not found", now_ns)]

    def announce_close(self, now_ns: int) -> str:
        """Return a heartbeat: the venue announces nothing."""
        return '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'

    def announce_trading(self, symbol: str | None, now_ns: int) -> Sequence[Action]:
        """Tell who follows the platform's state that it, or one price index, is closed or open."""
        if not self._follows_platform:
            return []
        if symbol is None:
            return [_platform({"maintenance": self._books.halted})]
        listing = self._books.listing(symbol)
        if listing is None:
            return []
        return [_platform({"price_index": symbol.lower(), "locked": not listing.tradable})]

    def _beat(self, request: _Request, now_ns: int) -> Sequence[Action]:
        interval_s = request.params.interval
        if not LEAST_HEARTBEAT_S <= interval_s <= 3600:
            return [_invalid(request.id, "interval", now_ns)]
        ok = _result(request.id, "ok", now_ns)
        if self._heartbeat:
            return [ok]
        self._heartbeat = True
        limit_s = interval_s + ANSWER_WITHIN_S
        return [ok, Question(lambda _: TEST_REQUEST, interval_s, limit_s, 4000, "heartbeat")]

    def _perform(self, request: _Request, now_ns: int) -> Sequence[Action]:
        channels = request.params.channels
        if not channels:
            return [_invalid(request.id, "channels", now_ns)]
        if any(channel.endswith(".raw") for channel in channels):
            text = "raw_subscriptions_not_available_for_unauthorized"
            return [_error(request.id, 13778, text, now_ns)]
        if not self._spend(now_ns):
            return [_error(request.id, 10028, "too_many_requests", now_ns)]
        perform = self._subscribe if request.method == "public/subscribe" else self._unsubscribe
        actions: list[Action] = []
        done = [channel for channel in dict.fromkeys(channels) if perform(channel, actions)]
        return [_result(request.id, done[::-1], now_ns), *actions]

    def _subscribe(self, channel: str, actions: list[Action]) -> bool:
        """Return whether there is such a channel."""
        if channel == PLATFORM:
            self._follows_platform = True
            return True
        stream = frames.stream_of(channel)
        if stream is None or self._books.listing(stream.symbol) is None:
            return False
        if channel not in self._streams:
            # Who has it already gets no other snapshot.
            self._streams[channel] = stream
            actions.append(Subscribe(stream, frames.first_frame_of(stream)))
        return True

    def _unsubscribe(self, channel: str, actions: list[Action]) -> bool:
        """Return whether it was subscribed."""
        if channel == PLATFORM:
            followed, self._follows_platform = self._follows_platform, False
            return followed
        stream = self._streams.pop(channel, None)
        if stream is not None:
            actions.append(Unsubscribe(stream))
        return stream is not None

    def _spend(self, now_ns: int) -> bool:
        earned = (now_ns - self._credited_ns) * 1e-9 * CREDITS_PER_S
        self._credits, self._credited_ns = min(MOST_CREDITS, self._credits + earned), now_ns
        affordable = self._credits >= SUBSCRIPTION_COSTS
        self._credits -= SUBSCRIPTION_COSTS * affordable
        return affordable


def _platform(state: Result) -> Send:
    return Send(frames.push(PLATFORM, json.dumps(state, separators=(",", ":"))))


def _invalid(request_id: Id, name: str, now_ns: int) -> Send:
    data: Result = {"reason": "wrong value", "param": name}
    return _error(request_id, -32602, "Invalid params", now_ns, data)


def _result(request_id: Id, result: object, now_ns: int) -> Send:
    return _answer(request_id, {"result": result}, now_ns)


def _error(
    request_id: Id, code: int, message: str, now_ns: int, data: Result | None = None
) -> Send:
    return _answer(request_id, {"error": {"code": code, "message": message, "data": data}}, now_ns)


def _answer(request_id: Id, fields: Result, now_ns: int) -> Send:
    us = now_ns // 1000
    times = {"usIn": us, "usOut": us, "usDiff": 0, "testnet": False}
    named = {} if request_id is None else {"id": request_id}
    return Send(json.dumps({"jsonrpc": "2.0", **named, **fields, **times}, separators=(",", ":")))
