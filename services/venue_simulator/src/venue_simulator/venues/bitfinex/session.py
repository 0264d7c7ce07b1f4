"""A client's conversation with Bitfinex. Source: docs.bitfinex.com, "WebSocket general".

Requests and answers are objects; a request names one channel, and its answer the number by which
this client's frames of it are known. Simulated are the channels `book` (precision P0, in real time)
and `ticker`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    Frame,
    Later,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.bitfinex.frames import BOOK, TICKER, Flag, address, finish

__all__ = ["BitfinexSession", "accepts"]

PATH: Final = "/ws/2"
LENGTHS: Final = ("1", "25", "100", "250")
MOST_CHANNELS: Final = 30
HEARTBEAT_S: Final = 15.0
EARLY_HEARTBEAT_EVERY: Final = 4
"""So many subscriptions of a client have one that beats before it is acknowledged."""

Fields = dict[str, object]


class _Request(msgspec.Struct, rename="camel"):
    event: str
    flags: int = 0
    channel: str = ""
    symbol: str = ""
    prec: str = "P0"
    freq: str = "F0"
    len: str = "25"
    sub_id: str | None = None
    chan_id: int = 0
    cid: int | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is the public socket's."""
    return urlsplit(path).path == PATH


class BitfinexSession(VenueSession):
    """Speaks first, then answers each request; frames that are arrays are numbered."""

    def __init__(self, books: Books, connection_id: int) -> None:
        self._books = books
        self._connection_id = connection_id
        self._halted = books.halted
        self._flags = Flag(0)
        self._streams: dict[int, BookStream] = {}
        self._subscriptions = 0
        self._count = partial(next, count(1))

    def open(self, now_ns: int) -> Sequence[Action]:
        return [
            _reply(
                {
                    "event": "info",
                    "version": 2,
                    "serverId": f"00000000-0000-4000-8000-{self._connection_id:012x}"[-36:],
                    "platform": {"status": 0 if self._halted else 1},
                }
            )
        ]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # To what is no JSON the venue says nothing.
            return [_UNKNOWN_EVENT] if isinstance(error, msgspec.ValidationError) else []
        match request.event:
            case "conf":
                self._flags = Flag(request.flags & sum(Flag))
                return [_reply({"event": "conf", "status": "OK", "flags": request.flags})]
            case "ping":
                pong: Fields = {"event": "pong", "ts": now_ns // 1_000_000}
                return [_reply(pong if request.cid is None else pong | {"cid": request.cid})]
            case "subscribe":
                return self._subscribe(request, now_ns)
            case "unsubscribe":
                return self._unsubscribe(request.chan_id)
            case _:
                return [_UNKNOWN_EVENT]

    def announce_close(self, now_ns: int) -> str:
        return _json(
            {"event": "info", "code": 20051, "msg": "Stopping. Please try to reconnect"},
        )

    def announce_trading(self, symbol: str | None, now_ns: int) -> Sequence[Action]:
        """Return nothing of a market: the list leaves out what cannot be traded."""
        if symbol is not None or self._books.halted == self._halted:
            return []
        self._halted = self._books.halted
        if self._halted:
            text = "Entering in Maintenance mode. Please pause any activity."
            return [_reply({"event": "info", "code": 20060, "msg": text})]
        text = "Maintenance ended. You can resume normal activity."
        return [_reply({"event": "info", "code": 20061, "msg": text})]

    def _subscribe(self, request: _Request, now_ns: int) -> Sequence[Action]:
        named: Fields = {"channel": request.channel, "symbol": request.symbol}
        if request.channel == BOOK:
            named |= {"prec": request.prec, "freq": request.freq, "len": request.len}
        if request.sub_id is not None:
            named["subId"] = request.sub_id
        depth = int(request.len) if request.len in LENGTHS else 0
        stream = BookStream(
            f"{request.channel}:{request.symbol}:{request.len}",
            request.symbol,
            request.channel,
            1 if request.channel == TICKER else depth,
            best_only=request.channel == TICKER,
        )
        if (mistake := self._mistake(request, stream)) is not None:
            return [_error(*mistake, named)]
        channel = self._next_channel()
        self._streams[channel] = stream
        ack: Fields = {"event": "subscribed", "chanId": channel, **named}
        early = self._subscriptions % EARLY_HEARTBEAT_EVERY == 0
        beat = self._beat(channel, now_ns) if early else [self._next_beat(channel)]
        return [
            *beat,
            _reply({**ack, "pair": request.symbol[1:]}),
            Subscribe(stream, FirstFrame.AT_ONCE, partial(self._address, channel)),
        ]

    def _mistake(self, request: _Request, stream: BookStream) -> tuple[str, int] | None:
        """Return what the venue says against a subscription, and its code."""
        listing = self._books.listing(request.symbol)
        mistakes = (
            (request.channel not in {BOOK, TICKER}, "channel: unknown", 10300),
            (listing is None or not listing.tradable, "symbol: invalid", 10300),
            (request.prec != "P0", "precision: invalid", 10300),
            (request.freq != "F0", "frequency: invalid", 10300),
            (not stream.depth, "length: invalid", 10300),
            (stream in self._streams.values(), "subscribe: dup", 10301),
            (len(self._streams) >= MOST_CHANNELS, "subscribe: limit", 10305),
        )
        return next(((text, code) for wrong, text, code in mistakes if wrong), None)

    def _unsubscribe(self, channel: int) -> Sequence[Action]:
        stream = self._streams.pop(channel, None)
        if stream is None:
            return [_error("unsubscribe: invalid", 10400, {"chanId": channel})]
        ack: Fields = {"event": "unsubscribed", "status": "OK", "chanId": channel}
        return [Unsubscribe(stream), _reply(ack)]

    def _next_channel(self) -> int:
        """Return a number that no other channel of this client has or had."""
        self._subscriptions += 1
        return (self._connection_id * 7919 + self._subscriptions * 104_729) % 900_001 + 100_000

    def _address(self, channel: int, text: Frame) -> Sequence[Frame]:
        assert isinstance(text, str)
        return address(text, channel, self._flags, self._count)

    def _beat(self, channel: int, now_ns: int) -> list[Action]:
        """Return a heartbeat of a channel, and when the next comes, as long as it is there."""
        if channel not in self._streams:
            return []
        stamp = str(now_ns // 1_000_000)
        frame = finish(f'{channel},"hb"', stamp, self._flags, self._count)
        return [Send(frame), self._next_beat(channel)]

    def _next_beat(self, channel: int) -> Later:
        return Later(HEARTBEAT_S, partial(self._beat, channel))


def _error(text: str, code: int, named: Fields) -> Send:
    return _reply({**named, "event": "error", "msg": text, "code": code})


def _reply(fields: Fields) -> Send:
    return Send(_json(fields))


def _json(fields: Fields) -> str:
    return json.dumps(fields, separators=(",", ":"))


_UNKNOWN_EVENT: Final = _error("event: invalid", 10000, {})
