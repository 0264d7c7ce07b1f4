"""Requests to Coinbase Advanced Trade and its answers: all that is subscribed, by channel.

Books are asked for as `level2` and come as `l2_data`. All but errors are numbered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

import msgspec

from dragonfly_venues.coinbase.control import written
from dragonfly_venues.decoding.frames import read, write
from dragonfly_venues.decoding.shapes import MAX_SEQ
from dragonfly_venues.events import Acked, Event, FrameError, Heard, RequestRefused
from dragonfly_venues.venue import Ask

__all__ = ["CHANNEL", "HEARTBEATS", "Number", "request", "understand"]

CHANNEL: Final = "level2"
HEARTBEATS: Final = write({"type": "subscribe", "channel": "heartbeats"})
"""Asks for one message a second, without which quiet connections are closed."""

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=MAX_SEQ)]


class _Event(msgspec.Struct):
    subscriptions: dict[str, tuple[str, ...]] = {}


class _Control(msgspec.Struct):
    channel: str = ""
    type: str = ""
    message: str = ""
    sequence_num: Number | None = None
    events: tuple[_Event, ...] = ()


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: whole books, whatever depth of them is used."""
    return [written(ask, channel=CHANNEL)]


def understand(frame: bytes) -> tuple[int | None, Sequence[Event]]:
    """Return the number of a frame that is no book, and what it says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    match control.channel:
        case "heartbeats":
            return control.sequence_num, (Heard(),)
        case "subscriptions":
            listed = {
                product
                for event in control.events
                for product in event.subscriptions.get(CHANNEL, ())
            }
            return control.sequence_num, (Acked(None, tuple(sorted(listed)), complete=True),)
        case "" if control.type == "error":
            reason = (control.message or "no reason given")[:200]
            return control.sequence_num, (RequestRefused(None, (), reason),)
        case _:
            raise FrameError("unknown_channel", f"{control.channel or control.type}"[:60])
