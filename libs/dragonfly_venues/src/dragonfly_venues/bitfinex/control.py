"""Requests to Bitfinex and its answers: objects, where books are arrays.

A request names one channel. Its acknowledgement gives the number by which the channel's frames are
known, and by which alone it can be ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, reason, write
from dragonfly_venues.events import (
    TRADING,
    Acked,
    Closing,
    Event,
    FrameError,
    Heard,
    Lost,
    RequestRefused,
    Trading,
    TradingChange,
    Welcome,
)
from dragonfly_venues.venue import Ask, offered

__all__ = [
    "CHANNEL",
    "CONF",
    "LENGTHS",
    "Control",
    "ping",
    "read_control",
    "request",
    "say",
]

CHANNEL: Final = "book"
LENGTHS: Final = (25, 100, 250)
"""Levels a side that its books are offered with; the checksum covers 25."""

TIMESTAMPS: Final = 1 << 15
SEQUENCE: Final = 1 << 16
CHECKSUMS: Final = 1 << 17
BULK_UPDATES: Final = 1 << 29
"""All levels that change together come in one frame."""
CONF: Final = write(
    {"event": "conf", "flags": TIMESTAMPS | SEQUENCE | CHECKSUMS | BULK_UPDATES},
)

DUPLICATE: Final = 10301
"""It has the subscription already, under a number that was not heard: only a new connection ends
it."""

_LONGEST_TEXT: Final = 200
_MAINTENANCE: Final = Trading(halted=True, word="maintenance")


class _Platform(msgspec.Struct):
    status: int


class Control(msgspec.Struct, rename="camel"):
    """Any frame that is an object."""

    event: str
    channel: str = ""
    chan_id: int | None = None
    symbol: str = ""
    code: int | None = None
    msg: str = ""
    status: str = ""
    platform: _Platform | None = None


_CONTROL: Final = msgspec.json.Decoder(Control)


def request(ask: Ask) -> list[str]:
    """Return the frames of `ask`, one for each symbol."""
    if not ask.subscribe:
        return [
            write({"event": "unsubscribe", "chanId": ask.handles[symbol]}) for symbol in ask.symbols
        ]
    length = str(offered(ask.depth, LENGTHS))
    book = {"event": "subscribe", "channel": CHANNEL, "prec": "P0", "freq": "F0", "len": length}
    return [write(book | {"symbol": symbol}) for symbol in ask.symbols]


def ping(request_id: int) -> str:
    """Return a frame that the venue answers with a pong."""
    return write({"event": "ping", "cid": request_id})


def read_control(frame: bytes) -> Control:
    """Return a frame that is an object.

    Raises:
        FrameError: it is none.
    """
    return read(_CONTROL, frame)


def say(control: Control, symbol: str | None) -> Sequence[Event]:
    """Return what a frame says; `symbol` is whose book it is about, where that is known.

    Raises:
        FrameError: it says nothing that is known.
    """
    symbols = () if symbol is None else (symbol,)
    match control.event:
        case "subscribed" if control.channel == CHANNEL and symbols:
            return (Acked(None, symbols, handle=control.chan_id),)
        case "unsubscribed":
            return (Acked(None, symbols, subscribed=False),) if symbols else (Heard(),)
        case "error":
            return _refused(control, symbols)
        case "info":
            return _info(control)
        case "conf" if control.status == "OK":
            return (Heard(),)
        case "pong" | "subscribed":
            return (Heard(),)
        case _:
            raise FrameError("unknown_channel", f"{control.event[:60]} {control.status[:60]}")


def _refused(control: Control, symbols: tuple[str, ...]) -> Sequence[Event]:
    refused = RequestRefused(None, symbols, reason(control.msg, control.code))
    if control.code == DUPLICATE:
        return (refused, Closing("it holds a subscription that was not acknowledged"))
    return (refused,)


def _info(control: Control) -> Sequence[Event]:
    if control.platform is not None:
        trading = TRADING if control.platform.status else _MAINTENANCE
        return (Welcome(), TradingChange(None, trading))
    match control.code:
        case 20051:
            return (Closing(control.msg[:_LONGEST_TEXT] or "it asks to reconnect"),)
        case 20060:
            return (TradingChange(None, _MAINTENANCE),)
        case 20061:
            # In this order: the books of before are never shown again.
            return (Lost("maintenance is over"), TradingChange(None, TRADING))
        case _:
            return (Heard(),)
