"""Requests to OKX and its answers: each argument of a request is answered by itself.

An unknown instrument is refused, at times without saying which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dragonfly_venues.decoding.arguments import ANSWER, PONG, arguments, event_of
from dragonfly_venues.decoding.frames import read, write
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.events import Closing, Event, Heard
from dragonfly_venues.venue import Ask

__all__ = ["CHANNEL", "REST", "SYMBOLS_PER_REQUEST", "request", "understand"]

CHANNEL: Final = "books"
SYMBOLS_PER_REQUEST: Final = 30
"""As many as one connection should carry; a request may have 64 KB."""
REST: Final = RestEnvelope(ok="0")

_SERVICE_UPGRADE: Final = "64008"


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: 400 levels, whatever depth of them is used."""
    return [write({"id": str(ask.request_id), **arguments(ask, channel=CHANNEL)})]


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    if frame == PONG:
        return (Heard(),)
    answer = read(ANSWER, frame)
    match answer.event:
        case "notice" if answer.code == _SERVICE_UPGRADE:
            return (Closing(answer.msg[:200]),)
        case "notice" | "channel-conn-count":
            return (Heard(),)
        case _:
            return (event_of(answer),)
