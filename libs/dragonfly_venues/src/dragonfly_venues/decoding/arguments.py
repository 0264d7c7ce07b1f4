"""Requests whose arguments are answered one by one, and bare texts that prove life.

    {"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}
    {"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"}}
    {"event":"error","arg":{…},"code":"60018","msg":"…"}

OKX and Bitget speak so; whatever else one of them answers, its own module says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from dragonfly_venues.decoding.frames import read, reason, request_id
from dragonfly_venues.events import Acked, Event, FrameError, Heard, RequestRefused
from dragonfly_venues.venue import Ask

__all__ = ["ANSWER", "PONG", "Answer", "arguments", "event_of", "ping", "understand"]

PONG: Final = b"pong"


class _Arg(msgspec.Struct, frozen=True, rename="camel"):
    inst_id: str = ""


class Answer(msgspec.Struct):
    """An answer to an argument, or a word of the venue by itself."""

    event: str
    arg: _Arg = _Arg()
    id: str = ""
    code: int | str = ""
    msg: str = ""


ANSWER: Final = msgspec.json.Decoder(Answer)


def arguments(ask: Ask, **common: str) -> dict[str, Any]:
    """Return the request of `ask`: an argument for each symbol, with what they have in `common`."""
    return {
        "op": "subscribe" if ask.subscribe else "unsubscribe",
        "args": [{**common, "instId": symbol} for symbol in ask.symbols],
    }


def ping(_: int) -> str:
    """Return the bare text that the venue answers with `PONG`."""
    return "ping"


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says, at a venue that answers nothing else.

    Raises:
        FrameError: it says nothing that is known.
    """
    return (Heard() if frame == PONG else event_of(read(ANSWER, frame)),)


def event_of(answer: Answer) -> Event:
    """Return what an answer says.

    Raises:
        FrameError: `unknown_channel`: it is none to an argument.
    """
    symbols = (answer.arg.inst_id,) if answer.arg.inst_id else ()
    answered = request_id(answer.id)
    match answer.event:
        case "subscribe" | "unsubscribe":
            return Acked(answered, symbols, subscribed=answer.event == "subscribe")
        case "error":
            return RequestRefused(answered, symbols, reason(answer.msg, answer.code))
        case _:
            raise FrameError("unknown_channel", answer.event[:60])
