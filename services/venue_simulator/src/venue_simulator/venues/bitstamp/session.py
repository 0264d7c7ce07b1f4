"""A client's conversation with Bitstamp. Source: bitstamp.net/websocket/v2.

An unknown lower-case pair is acknowledged and stays silent for ever, as do the public channels of
orders and trades, which are not simulated. Private channels of an account take a token of REST.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from venue_simulator.trading.orders import OrderEvent
from venue_simulator.venue import (
    Action,
    Books,
    BookStream,
    FirstFrame,
    HangUp,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)
from venue_simulator.venues.bitstamp import frames, private_channels
from venue_simulator.venues.bitstamp.orders import user_id

__all__ = ["BitstampSession", "accepts"]

MAX_FRAME_BYTES: Final = 512
CHANNELS_PER_CONNECTION: Final = 1024

_CHANNEL: Final = re.compile(
    r"(?P<kind>order_book|diff_order_book|detail_order_book|live_orders|live_trades)"
    r"_(?P<symbol>[a-z0-9][a-z0-9.-]*)"
)


_PRIVATE: Final = re.compile(r"private-my_(?:orders|trades)_[a-z0-9.-]+-(?P<user>[0-9]{1,9})")


class _Data(msgspec.Struct):
    channel: str
    auth: str = ""


class _Request(msgspec.Struct):
    event: str
    data: _Data | None = None


def accepts(path: str) -> bool:
    """Return whether `path` is the root: Bitstamp has no other."""
    return urlsplit(path).path in {"", "/"}


class BitstampSession(VenueSession):
    """One channel per frame, each acknowledged by its name."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._channels: dict[str, BookStream] = {}
        self._private: set[str] = set()

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        if len(frame) > MAX_FRAME_BYTES:
            return [HangUp(1009, "")]
        try:
            request = msgspec.json.decode(frame, type=_Request)
        except msgspec.ValidationError:
            return [_error("Bad subscription string.")]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [_error("Incorrect JSON format.")]
        return self._perform(request, now_ns)

    def describe_order(self, event: OrderEvent, now_ns: int) -> Sequence[Action]:
        if not self._private:
            return ()
        user = user_id(self._books, self._books.desk.accounts[event.order.account])
        told = private_channels.describe(event, self._books, user)
        return [Send(message) for channel, message in told if channel in self._private]

    def announce_close(self, now_ns: int) -> str:
        return _event("bts:request_reconnect", "", "")

    def _perform(self, request: _Request, now_ns: int) -> Sequence[Action]:
        match request:
            case _Request("bts:heartbeat"):
                return [Send(_event("bts:heartbeat", "", {"status": "success"}))]
            case _Request("bts:subscribe", _Data(channel, auth)) if channel.startswith("private-"):
                return self._follow(channel, auth, now_ns)
            case _Request("bts:subscribe", _Data(channel)):
                return self._subscribe(channel)
            case _Request("bts:unsubscribe", _Data(channel)) if channel in self._private:
                self._private.discard(channel)
                return [Send(_event("bts:unsubscription_succeeded", channel, {}))]
            case _Request("bts:unsubscribe", _Data(channel)):
                return self._unsubscribe(channel)
            case _:
                return [_error("Bad subscription string.")]

    def _follow(self, channel: str, token: str, now_ns: int) -> Sequence[Action]:
        """Follow an account's channel, if the token is the account's."""
        match, desk = _PRIVATE.fullmatch(channel), self._books.desk
        if match is None:
            return [_error("Invalid channel provided.")]
        account = None if desk.tokens_are_refused else desk.tokens.find(token, now_ns)
        if account is None or user_id(self._books, account) != int(match["user"]):
            return [_error("Connection is unauthorized.", 4009)]
        self._private.add(channel)
        return [Send(_event("bts:subscription_succeeded", channel, {}))]

    def _subscribe(self, channel: str) -> Sequence[Action]:
        match = _CHANNEL.fullmatch(channel)
        if match is None:
            return [_error("Invalid channel provided.")]
        ack = Send(_event("bts:subscription_succeeded", channel, {}))
        if channel in self._channels:
            return [ack]
        if len(self._channels) == CHANNELS_PER_CONNECTION:
            return [HangUp(1000, "")]
        stream = BookStream(channel, match["symbol"], match["kind"], frames.WHOLE_DEPTH)
        self._channels[channel] = stream
        if match["kind"] not in {frames.WHOLE, frames.DIFF}:
            return [ack]
        return [ack, Subscribe(stream, FirstFrame.ON_CHANGE)]

    def _unsubscribe(self, channel: str) -> Sequence[Action]:
        if _CHANNEL.fullmatch(channel) is None:
            return [_error("Invalid channel provided.")]
        ack = Send(_event("bts:unsubscription_succeeded", channel, {}))
        stream = self._channels.pop(channel, None)
        return [ack] if stream is None else [ack, Unsubscribe(stream)]


def _event(event: str, channel: str, data: object) -> str:
    fields = {"event": event, "channel": channel, "data": data}
    return json.dumps(fields, separators=(",", ":"))


def _error(message: str, code: int | None = None) -> Send:
    return Send(_event("bts:error", "", {"code": code, "message": message}))
