"""Requests to KuCoin and its answers.

An unknown symbol is acknowledged like any other and then silent: only the instrument list finds it
out. An error names the request at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, reason, request_id, write
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.events import Acked, Event, FrameError, Heard, RequestRefused, Welcome
from dragonfly_venues.venue import Ask

__all__ = ["REST", "SYMBOLS_PER_REQUEST", "TOPIC", "ping", "request", "understand"]

TOPIC: Final = "/market/level2:"
SYMBOLS_PER_REQUEST: Final = 100
"""As many as one topic may name."""
REST: Final = RestEnvelope(ok="200000")


class _Control(msgspec.Struct):
    type: str
    id: str = ""
    topic: str = ""
    code: int | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_CONTROL: Final = msgspec.json.Decoder(_Control)
_TEXT: Final = msgspec.json.Decoder(str)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: changes of whole books."""
    return [
        write(
            {
                "id": str(ask.request_id),
                "type": "subscribe" if ask.subscribe else "unsubscribe",
                "topic": f"{TOPIC}{','.join(ask.symbols)}",
                "privateChannel": False,
                "response": True,
            }
        )
    ]


def ping(request_id: int) -> str:
    """Return the ping that the venue wants to hear by the clock, and answers."""
    return write({"id": str(request_id), "type": "ping"})


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    answered = request_id(control.id)
    match control.type:
        case "welcome":
            return (Welcome(),)
        case "ack":
            return (Acked(answered),)
        case "pong":
            return (Heard(),)
        case "error":
            return (RequestRefused(answered, (), reason(_text(control.data), control.code)),)
        case _:
            raise FrameError("unknown_channel", f"{control.type[:60]} {control.topic[:60]}")


def _text(data: msgspec.Raw) -> str:
    try:
        return read(_TEXT, data)
    except FrameError:
        return "no reason given"
