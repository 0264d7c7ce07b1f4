"""What OKX is told, and what it answers: each argument of a request by itself.

An unknown instrument is refused, at times without saying which. `ping` and `pong` are bare texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, request_id, write
from dragonfly_venues.decoding.replies import Envelope
from dragonfly_venues.events import Acked, Closing, Event, FrameError, Heard, Refused
from dragonfly_venues.venue import Ask

__all__ = ["CHANNEL", "PONG", "REST", "SYMBOLS_PER_REQUEST", "ping", "request", "understand"]

CHANNEL: Final = "books"
PONG: Final = b"pong"
SYMBOLS_PER_REQUEST: Final = 30
"""As many as one connection should carry; a request may have 64 KB."""
REST: Final = Envelope(ok="0")

_SERVICE_UPGRADE: Final = "64008"


class _Arg(msgspec.Struct, frozen=True, rename="camel"):
    channel: str = ""
    inst_id: str = ""


class _Control(msgspec.Struct):
    event: str
    arg: _Arg = _Arg()
    id: str = ""
    code: str = ""
    msg: str = ""


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: 400 levels, whatever depth of them is used."""
    return [
        write(
            {
                "id": str(ask.request_id),
                "op": "subscribe" if ask.subscribe else "unsubscribe",
                "args": [{"channel": CHANNEL, "instId": symbol} for symbol in ask.symbols],
            }
        )
    ]


def ping(_: int) -> str:
    """Return the bare text that the venue answers with `PONG`."""
    return "ping"


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    if frame == PONG:
        return (Heard(),)
    control = read(_CONTROL, frame)
    symbols = (control.arg.inst_id,) if control.arg.inst_id else ()
    answered = request_id(control.id)
    match control.event:
        case "subscribe" | "unsubscribe":
            return (Acked(answered, symbols, subscribed=control.event == "subscribe"),)
        case "error":
            return (Refused(answered, symbols, f"{control.msg[:200]} (code {control.code})"),)
        case "notice" if control.code == _SERVICE_UPGRADE:
            return (Closing(control.msg[:200]),)
        case "notice" | "channel-conn-count":
            return (Heard(),)
        case _:
            raise FrameError("unknown_channel", control.event[:60])
