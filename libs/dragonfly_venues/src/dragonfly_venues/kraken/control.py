"""Requests to Kraken and its answers: one acknowledgement or error for each symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, write
from dragonfly_venues.events import Acked, Event, FrameError, Heard, RequestRefused
from dragonfly_venues.kraken import instruments
from dragonfly_venues.venue import Ask, offered

__all__ = [
    "DEPTHS",
    "INSTRUMENT_REQUEST",
    "STATUS_REQUEST",
    "SYMBOLS_PER_REQUEST",
    "ping",
    "request",
    "understand",
]

DEPTHS: Final = (10, 25, 100, 500, 1000)
"""Levels a side that its books are offered with."""
SYMBOLS_PER_REQUEST: Final = 100
"""No limit is documented; a hundred symbols make a frame of about 1 kB."""

INSTRUMENT_REQUEST: Final = write(
    {"method": "subscribe", "params": {"channel": "instrument", "snapshot": True}}
)
STATUS_REQUEST: Final = write(
    {
        "method": "subscribe",
        "params": {"channel": "instrument", "snapshot": False},
        # Of no request for books: those count from 1.
        "req_id": 0,
    }
)
"""Asks for what changes in the list from now on: a market is halted, or trades again."""


class _Result(msgspec.Struct):
    symbol: str | None = None


class _Control(msgspec.Struct):
    """An answer (`method`), or a frame of a channel that carries no book."""

    channel: str = ""
    method: str = ""
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    req_id: int | None = None
    result: _Result | None = None


_CONTROL: Final = msgspec.json.Decoder(_Control)
_HEARD: Final = (Heard(),)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`; to end books, the depth must be the same."""
    params = {
        "channel": "book",
        "depth": offered(ask.depth, DEPTHS),
        "symbol": list(ask.symbols),
    }
    if ask.subscribe:
        params["snapshot"] = True
    method = "subscribe" if ask.subscribe else "unsubscribe"
    return [write({"method": method, "params": params, "req_id": ask.request_id})]


def ping(request_id: int) -> str:
    """Return a frame that the venue answers with a pong, even when nothing is subscribed."""
    return write({"method": "ping", "req_id": request_id})


def understand(frame: bytes) -> tuple[str, Sequence[Event]]:
    """Return the channel of a frame, and what it says if it is no book.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    if control.channel == "book":
        return "book", ()
    if control.channel == "heartbeat":
        return control.channel, _HEARD
    if control.channel == "status":
        return control.channel, instruments.parse_system(frame)
    if control.channel == "instrument":
        return control.channel, instruments.parse_changes(frame)
    if control.channel:
        raise FrameError("unknown_channel", control.channel[:60])
    return "", _answer(control)


def _answer(control: _Control) -> Sequence[Event]:
    symbol = control.symbol or (control.result.symbol if control.result else None)
    symbols = () if symbol is None else (symbol,)
    if control.success is False or control.error is not None:
        return (
            RequestRefused(control.req_id, symbols, (control.error or "no reason given")[:200]),
        )
    if control.method == "pong":
        return _HEARD
    if control.method in {"subscribe", "unsubscribe"} and control.success:
        return (Acked(control.req_id, symbols, subscribed=control.method == "subscribe"),)
    raise FrameError("bad_shape", "neither a channel nor an answer")
