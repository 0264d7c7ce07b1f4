"""A client's conversation with Crypto.com. Source: exchange-docs.crypto.com, and what was measured.

Each channel of a request is answered by itself, a ticker by its first frame. In the second in which
it connected, a client may send only its part of what is allowed in a second. The snapshot of a
book, which the venue sends a second after the acknowledgement, comes at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.venue import (
    Action,
    Address,
    Books,
    BookStream,
    FirstFrame,
    Frame,
    KeptAlive,
    Later,
    Question,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.cryptocom.frames import CHANGES, DEPTHS, TICKER, WHOLE, idle

__all__ = ["CryptocomSession", "accepts"]

PATH: Final = "/exchange/v1/market"
MOST_CHANNELS: Final = 400
REQUESTS_PER_SECOND: Final = 100
LEAST_REQUESTS: Final = 10
"""Of the second in which a client connected, however late in it that was."""
HEARTBEAT_S: Final = 30.0
MISSES_S: Final = 3 * HEARTBEAT_S
IDLE_S: Final = 5.0

_SECOND_NS: Final = 1_000_000_000


class _Params(msgspec.Struct):
    channels: list[str] = []
    book_subscription_type: str = WHOLE
    book_update_frequency: int = 10


class _Request(msgspec.Struct):
    method: str
    id: int | None = None
    params: _Params = msgspec.field(default_factory=_Params)


def accepts(path: str) -> bool:
    """Return whether `path` is the socket of market data."""
    return urlsplit(path).path == PATH


class CryptocomSession(VenueSession):
    """Asks by the clock who is there, and answers each channel of each request."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._streams: dict[str, BookStream] = {}
        self._numbers: dict[BookStream, int] = {}
        """The last `u` of each book that is sent by changes."""
        self._opened_ns = 0
        self._requests_left = LEAST_REQUESTS

    def open(self, now_ns: int) -> Sequence[Action]:
        self._opened_ns = now_ns
        left = 1.0 - now_ns % _SECOND_NS / _SECOND_NS
        self._requests_left = max(LEAST_REQUESTS, int(REQUESTS_PER_SECOND * left))
        return [Question(_heartbeat, HEARTBEAT_S, MISSES_S, 1000, "")]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [_answer(None, "", code=40003, message="Invalid request")]
        if now_ns // _SECOND_NS == self._opened_ns // _SECOND_NS:
            self._requests_left -= 1
            if self._requests_left < 0:
                return [_refusal(request, "", "TOO_MANY_REQUESTS", 42901)]
        match request.method:
            case "subscribe" | "unsubscribe" if request.params.channels:
                perform = self._subscribe if request.method == "subscribe" else self._unsubscribe
                channels = request.params.channels
                return [action for name in channels for action in perform(request, name)]
            case "public/respond-heartbeat":
                return [KeptAlive()]
            case _:
                return [_refusal(request, "", "No such method")]

    def announce_close(self, now_ns: int) -> Frame:
        """Return another heartbeat: the venue announces nothing."""
        return _heartbeat(now_ns)

    def _subscribe(self, request: _Request, name: str) -> Sequence[Action]:
        kind, _, rest = name.partition(".")
        symbol, depth = (rest, "1") if kind == TICKER else rest.rpartition(".")[::2]
        params = request.params
        mistakes = (
            (kind not in {"book", TICKER}, "Unrecognized channel", 40003),
            (self._books.listing(symbol) is None, "Unknown symbol", 40003),
            (kind == "book" and depth not in map(str, DEPTHS), "Invalid depth", 40003),
            (
                params.book_subscription_type not in {WHOLE, CHANGES}
                or params.book_update_frequency not in {10, 100},
                "Unsupported depth/interval combination",
                40003,
            ),
            (len(self._streams) >= MOST_CHANNELS, "Maximum subscriptions exceeded", 40107),
        )
        for wrong, text, code in mistakes:
            if wrong:
                return [_refusal(request, name, text, code)]
        ack = _answer(request.id, request.method, channel=name)
        if name in self._streams:
            return [ack]
        sent_as = TICKER if kind == TICKER else params.book_subscription_type
        stream = BookStream(name, symbol, sent_as, int(depth), best_only=kind == TICKER)
        self._streams[name] = stream
        if kind == TICKER:
            return [Subscribe(stream, FirstFrame.AT_ONCE, _acknowledging(request.id))]
        if sent_as == WHOLE:
            return [ack, Subscribe(stream, FirstFrame.AT_ONCE)]
        noted = partial(self._note, stream)
        return [ack, Subscribe(stream, FirstFrame.AT_ONCE, noted), self._look_later(stream)]

    def _unsubscribe(self, request: _Request, name: str) -> Sequence[Action]:
        ack = _answer(request.id, request.method, channel=name)
        stream = self._streams.pop(name, None)
        if stream is None:
            return [ack]
        self._numbers.pop(stream, None)
        return [Unsubscribe(stream), ack]

    def _note(self, stream: BookStream, frame: Frame) -> Sequence[Frame]:
        assert isinstance(frame, str)
        self._numbers[stream] = int(frame.rpartition('"u":')[2].partition(",")[0])
        return [frame]

    def _look_later(self, stream: BookStream) -> Later:
        return Later(IDLE_S, partial(self._say_idle, stream, self._numbers.get(stream)))

    def _say_idle(self, stream: BookStream, before: int | None, now_ns: int) -> Sequence[Action]:
        """Return an empty change where nothing was sent since the number was `before`."""
        if self._streams.get(stream.name) is not stream:
            return []
        number, state = self._numbers.get(stream), self._books.state(stream.symbol)
        later = self._look_later(stream)
        if number is None or number != before or state is None:
            return [later]
        return [Send(idle(stream, state, number, now_ns)), later]


def _heartbeat(now_ns: int) -> str:
    return _json({"id": now_ns // 1_000_000, "method": "public/heartbeat", "code": 0})


def _acknowledging(request_id: int | None) -> Address:
    """Return what gives the first frame the request's id."""
    ids = iter([] if request_id is None else [request_id])

    def address(frame: Frame) -> Sequence[Frame]:
        assert isinstance(frame, str)
        return [frame.replace('"id":-1', f'"id":{next(ids, -1)}', 1)]

    return address


def _answer(request_id: int | None, method: str, *, code: int = 0, **fields: str) -> Send:
    named = {} if request_id is None else {"id": request_id}
    return Send(_json({**named, "method": method, "code": code, **fields}))


def _refusal(request: _Request, channel: str, text: str, code: int = 40003) -> Send:
    named = {"channel": channel} if channel else {}
    return _answer(request.id, request.method, code=code, **named, message=text)


def _json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
