"""Requests to Bitstamp and its answers.

One channel a frame. An unknown pair in lower case is acknowledged like any other and then silent:
only the instrument list and the time limit for a first book find it out. An error's channel is
mostly empty, so an error seldom says whose it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, write
from dragonfly_venues.events import Acked, Closing, Event, FrameError, Heard, RequestRefused
from dragonfly_venues.venue import Ask

__all__ = ["CHANNEL_PREFIX", "HEARTBEAT", "probe", "request", "understand"]

CHANNEL_PREFIX: Final = "order_book_"
HEARTBEAT: Final = write({"event": "bts:heartbeat"})


class _Control(msgspec.Struct):
    event: str
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Failure(msgspec.Struct):
    message: str = ""
    code: int | str | None = None


_CONTROL: Final = msgspec.json.Decoder(_Control)
_FAILURE: Final = msgspec.json.Decoder(_Failure)


def request(ask: Ask) -> list[str]:
    """Return a frame a symbol, each under 512 bytes; answers name the symbol, not the request."""
    event = "bts:subscribe" if ask.subscribe else "bts:unsubscribe"
    return [
        write({"event": event, "data": {"channel": f"{CHANNEL_PREFIX}{symbol}"}})
        for symbol in ask.symbols
    ]


def probe(_: int) -> str:
    """Return the venue's own request for a sign of life."""
    return HEARTBEAT


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    symbols = _symbols(control.channel)
    match control.event:
        case "bts:subscription_succeeded":
            return (Acked(None, symbols, subscribed=True),)
        case "bts:unsubscription_succeeded":
            return (Acked(None, symbols, subscribed=False),)
        case "bts:heartbeat":
            return (Heard(),)
        case "bts:request_reconnect":
            return (Closing("bts:request_reconnect"),)
        case "bts:error":
            failure = read(_FAILURE, control.data)
            return (RequestRefused(None, symbols, failure.message[:200] or f"code {failure.code}"),)
        case _:
            raise FrameError("unknown_channel", f"{control.event[:60]} {control.channel[:60]}")


def _symbols(channel: str) -> tuple[str, ...]:
    symbol = channel.removeprefix(CHANNEL_PREFIX)
    return (symbol,) if symbol and symbol != channel else ()
