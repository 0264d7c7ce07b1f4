"""Requests to Bybit and its answers: each is answered as a whole.

An unknown symbol is refused, by name in the text alone; whether the others of its request were
accepted is not documented. One that was is then refused as `already subscribed`: it holds, and as
its snapshot was missed it is left and asked for anew, like any whose first book stays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, request_id, write
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.events import Acked, Event, FrameError, Heard, RequestRefused
from dragonfly_venues.venue import Ask, offered

__all__ = [
    "BEST",
    "DEEPEST",
    "REST",
    "SYMBOLS_PER_REQUEST",
    "TOPIC",
    "TOPICS",
    "ping",
    "request",
    "understand",
]

TOPIC: Final = "orderbook"
DEEPEST: Final = 200
"""There is one of 1000 levels, every 200 ms."""
SYMBOLS_PER_REQUEST: Final = 10
"""A frame that names more topics fails as a whole."""
REST: Final = RestEnvelope(ok="0", code="retCode", text="retMsg", content="result")

_HELD: Final = "already subscribed"
BEST: Final = 1
TOPICS: Final = (BEST, 50, DEEPEST)
"""Levels a side, every 10, 20 and 100 ms."""


class _Control(msgspec.Struct):
    op: str
    success: bool = True
    ret_msg: str = ""
    req_id: str = ""


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frames of `ask`: one of books, and one of best prices where those are no books."""
    levels = offered(ask.depth, TOPICS)
    return [
        write(
            {
                "req_id": str(ask.request_id),
                "op": "subscribe" if ask.subscribe else "unsubscribe",
                "args": [f"{TOPIC}.{count}.{symbol}" for symbol in ask.symbols],
            }
        )
        for count in ((levels, BEST) if ask.bbo and levels > BEST else (levels,))
    ]


def ping(request_id: int) -> str:
    """Return the ping that the venue wants to hear by the clock, and answers."""
    return write({"req_id": str(request_id), "op": "ping"})


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    answered = request_id(control.req_id)
    match control.op:
        case "ping" | "pong":
            return (Heard(),)
        case "subscribe" | "unsubscribe" if control.success or _HELD in control.ret_msg:
            return (Acked(answered, subscribed=control.op == "subscribe"),)
        case "subscribe" | "unsubscribe":
            return (RequestRefused(answered, (), control.ret_msg[:200] or "no reason given"),)
        case _:
            raise FrameError("unknown_channel", control.op[:60])
