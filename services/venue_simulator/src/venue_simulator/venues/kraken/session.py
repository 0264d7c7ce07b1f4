"""A client's conversation with Kraken. Source: docs.kraken.com/api/docs/websocket-v2.

Simulated are the channels `book`, `instrument` and `status`, `ping`, and what needs a token. A
multi-symbol request is answered once per symbol; an unknown symbol is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.book import Listing
from venue_simulator.times import rfc3339
from venue_simulator.trading.orders import OrderEvent
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
from venue_simulator.venues.kraken.frames import BOOK
from venue_simulator.venues.kraken.listing import pair_status
from venue_simulator.venues.kraken.private_session import PrivateConversation, is_private

__all__ = ["HEARTBEAT", "KrakenSession", "accepts"]

DEPTHS: Final = (10, 25, 100, 500, 1000)
HEARTBEAT: Final = '{"channel":"heartbeat"}'

Fields = dict[str, object]


class _Params(msgspec.Struct):
    channel: str
    symbol: list[str] = []
    depth: int = 10
    snapshot: bool = True


class _Request(msgspec.Struct):
    method: str
    params: _Params | None = None
    req_id: int | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is the v2 socket's."""
    return urlsplit(path).path == "/v2"


class KrakenSession(VenueSession):
    """Says its status first, then answers each request and each symbol of it."""

    def __init__(self, books: Books, connection_id: int) -> None:
        self._books = books
        self._connection_id = connection_id
        self._streams: dict[str, BookStream] = {}
        self._told_of_instruments = False
        self._private = PrivateConversation(books)

    def open(self, now_ns: int) -> Sequence[Action]:
        return [Send(self._status(self._system))]

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        if is_private(frame):
            return self._private.receive(frame, now_ns)
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return [Send(_json({"error": "Malformed request", "success": False, **_times(now_ns)}))]
        answer = _Answer(request, now_ns)
        match request:
            case _Request("ping"):
                return [answer.pong()]
            case _Request("subscribe" | "unsubscribe", _Params() as params):
                return self._request(request.method, params, answer)
            case _:
                return [answer.refuse("Method not supported")]

    def announce_close(self, now_ns: int) -> str:
        return self._status("maintenance")

    def describe_order(self, event: OrderEvent, now_ns: int) -> Sequence[Action]:
        return self._private.describe_order(event)

    def announce_trading(self, symbol: str | None, now_ns: int) -> Sequence[Action]:
        told: list[Action] = []
        listings = [] if symbol is None else [self._books.listing(symbol)]
        if symbol is None:
            told.append(Send(self._status(self._system)))
            listings = [*self._books.listings()]  # each market's own status follows the venue's
        if self._told_of_instruments:
            gone: Fields = {"symbol": symbol, "status": "delisted"}
            pairs = [gone if listing is None else _pair(listing) for listing in listings]
            told.append(Send(_instruments("update", pairs)))
        return told

    @property
    def _system(self) -> str:
        if self._books.halted:
            return "maintenance"
        return "post_only" if self._books.post_only else "online"

    def _request(self, method: str, params: _Params, answer: _Answer) -> Sequence[Action]:
        match method, params.channel:
            case "subscribe", "instrument":
                self._told_of_instruments = True
                ack = answer.accept({"channel": "instrument", "snapshot": params.snapshot})
                if not params.snapshot:
                    return [ack]
                pairs = [_pair(listing) for listing in self._books.listings()]
                return [ack, Send(_instruments("snapshot", pairs))]
            case "unsubscribe", "instrument":
                self._told_of_instruments = False
                return [answer.accept({"channel": "instrument"})]
            case _, "book" if not params.symbol:
                return [answer.refuse("Symbol(s) missing")]
            case _, "book":
                return self._each_symbol(method, params, answer)
            case _:
                return [answer.refuse("Channel not supported")]

    def _each_symbol(self, method: str, params: _Params, answer: _Answer) -> list[Action]:
        perform = self._subscribe if method == "subscribe" else self._unsubscribe
        return [action for symbol in params.symbol for action in perform(symbol, params, answer)]

    def _subscribe(self, symbol: str, params: _Params, answer: _Answer) -> list[Action]:
        if params.depth not in DEPTHS:
            return [answer.refuse("Subscription depth not supported", symbol)]
        if self._books.listing(symbol) is None:
            return [answer.refuse(f"Currency pair not supported {symbol}", symbol)]
        if symbol in self._streams:
            return [answer.refuse("Already subscribed", symbol)]
        stream = self._streams[symbol] = BookStream(BOOK, symbol, BOOK, params.depth)
        ack = answer.accept(
            {
                "channel": "book",
                "depth": params.depth,
                "snapshot": params.snapshot,
                "symbol": symbol,
            }
        )
        first = FirstFrame.AT_ONCE if params.snapshot else FirstFrame.ON_CHANGE
        return [ack, Subscribe(stream, first)]

    def _unsubscribe(self, symbol: str, params: _Params, answer: _Answer) -> list[Action]:
        stream = self._streams.get(symbol)
        if stream is None or stream.depth != params.depth:
            return [answer.refuse("Subscription Not Found", symbol)]
        del self._streams[symbol]
        ack = answer.accept({"channel": "book", "depth": params.depth, "symbol": symbol})
        return [Unsubscribe(stream), ack]

    def _status(self, system: str) -> str:
        state = {
            "version": "2.0.10",
            "system": system,
            "api_version": "v2",
            "connection_id": self._connection_id,
        }
        return _json({"channel": "status", "type": "update", "data": [state]})


class _Answer:
    """Answers to one request, each with its id and times."""

    def __init__(self, request: _Request, now_ns: int) -> None:
        self._method = request.method
        self._tail: Fields = _times(now_ns)
        if request.req_id is not None:
            self._tail["req_id"] = request.req_id

    def accept(self, result: Fields) -> Send:
        return self._reply({"method": self._method, "result": result, "success": True})

    def refuse(self, error: str, symbol: str | None = None) -> Send:
        fields: Fields = {"error": error, "method": self._method, "success": False}
        if symbol is not None:
            fields["symbol"] = symbol
        return self._reply(fields)

    def pong(self) -> Send:
        return self._reply({"method": "pong", "success": True})

    def _reply(self, fields: Fields) -> Send:
        return Send(_json({**fields, **self._tail}))


def _instruments(kind: str, pairs: Sequence[Fields]) -> str:
    names = {str(pair[side]) for pair in pairs for side in ("base", "quote") if side in pair}
    data = {
        "assets": [{"id": name, "status": "enabled", "precision": 10} for name in sorted(names)],
        "pairs": pairs,
    }
    return _json({"channel": "instrument", "type": kind, "data": data})


def _pair(listing: Listing) -> Fields:
    return {
        "symbol": listing.symbol,
        "base": listing.base,
        "quote": listing.quote,
        "status": pair_status(listing),
        "price_precision": listing.price_decimals,
        "qty_precision": listing.amount_decimals,
        "price_increment": float(listing.tick),
        "qty_increment": float(listing.lot),
        "qty_min": 0.0001,
        "cost_min": listing.min_notional,
    }


def _times(now_ns: int) -> Fields:
    now = rfc3339(now_ns // 1000)
    return {"time_in": now, "time_out": now}


def _json(fields: Fields) -> str:
    return json.dumps(fields, separators=(",", ":"))
