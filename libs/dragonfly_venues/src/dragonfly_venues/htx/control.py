"""Requests to HTX and its answers: one topic a request.

Unknown symbols, and those whose market is not open, are refused. An answer repeats the id of its
request, in which we write the symbol too: a refusal names it nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, reason, request_id, write
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.decoding.shapes import Seq
from dragonfly_venues.events import Acked, Event, FrameError, Heard, Reply, RequestRefused
from dragonfly_venues.venue import Ask

__all__ = [
    "CHANGES_SUFFIX",
    "LEVELS",
    "PREFIX",
    "REST",
    "SYMBOLS_PER_REQUEST",
    "TOP_SUFFIX",
    "WINDOW",
    "ask_book",
    "ping",
    "request",
    "request_changes",
    "understand",
]

LEVELS: Final = 20
"""Levels a side of the deepest channel of whole tops."""
WINDOW: Final = 150
"""Levels a side that the channel of changes keeps current, the most of which a book is given."""
PREFIX: Final = "market."
TOP_SUFFIX: Final = f".mbp.refresh.{LEVELS}"
CHANGES_SUFFIX: Final = f".mbp.{WINDOW}"
SYMBOLS_PER_REQUEST: Final = 45
"""A frame each."""
REST: Final = RestEnvelope(code="status", ok="ok", text="err-msg")


class _Control(msgspec.Struct, rename="kebab"):
    id: int | str | None = None
    ping: Seq | None = None
    pong: Seq | None = None
    status: str = ""
    subbed: str = ""
    unsubbed: str = ""
    ch: str = ""
    err_code: str = ""
    err_msg: str = ""


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frames of `ask`: the best 20 levels, whatever depth of them is used."""
    return _request(ask, TOP_SUFFIX)


def request_changes(ask: Ask) -> list[str]:
    """Return the frames of `ask`: changes of 150 levels."""
    return _request(ask, CHANGES_SUFFIX)


def ask_book(symbol: str, request_id: int) -> str:
    """Return the request for the book that changes go on from."""
    return _frame("req", symbol, CHANGES_SUFFIX, request_id)


def ping(request_id: int) -> str:
    """Return a ping, which the venue answers with the same number."""
    return write({"ping": request_id})


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    number, _, symbol = str(control.id or "").partition(" ")
    answered, symbols = request_id(number), (symbol,) if symbol else ()
    if control.ping is not None:
        return (Reply(write({"pong": control.ping})),)
    if control.pong is not None:
        return (Heard(),)
    if control.status == "error":
        return (RequestRefused(answered, symbols, reason(control.err_msg, control.err_code)),)
    if control.status == "ok" and (topic := control.subbed or control.unsubbed):
        return (Acked(answered, (_symbol(topic),), subscribed=bool(control.subbed)),)
    if control.ch:
        raise FrameError("unknown_channel", control.ch[:60])
    raise FrameError("bad_shape", "neither a book nor an answer")


def _symbol(topic: str) -> str:
    return topic.removeprefix(PREFIX).partition(".")[0]


def _request(ask: Ask, suffix: str) -> list[str]:
    verb = "sub" if ask.subscribe else "unsub"
    return [_frame(verb, symbol, suffix, ask.request_id) for symbol in ask.symbols]


def _frame(verb: str, symbol: str, suffix: str, request_id: int) -> str:
    return write({verb: f"{PREFIX}{symbol}{suffix}", "id": f"{request_id} {symbol}"})
