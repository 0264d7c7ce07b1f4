"""Requests to Coinbase Exchange and its answers: all that the connection has subscribed.

The list is repeated with each change of it, and may come after the first books. `level2_batch`
stands in it as `level2_50`. A product that is none is refused by name; the others of its request
are subscribed all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import read, write
from dragonfly_venues.events import Acked, Event, FrameError, RequestRefused
from dragonfly_venues.venue import Ask

__all__ = ["CHANNEL", "HEARTBEAT", "SYMBOLS_PER_REQUEST", "request", "understand", "written"]

CHANNEL: Final = "level2_batch"
HEARTBEAT: Final = "heartbeat"
SYMBOLS_PER_REQUEST: Final = 10
"""No limit is documented; whole books of so many weigh some 10 MB."""

_BOOKS: Final = "level2"
"""Begins the name under which books are listed."""
_REFUSED: Final = re.compile(r"([A-Z0-9]{1,20}-[A-Z0-9]{1,20}) ")


class _Channel(msgspec.Struct):
    name: str
    product_ids: tuple[str, ...] = ()


class _Control(msgspec.Struct):
    type: str
    channels: tuple[_Channel, ...] = ()
    message: str = ""
    reason: str = ""


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: whole books whatever depth of them is used, and heartbeats."""
    return [written(ask, channels=[CHANNEL, HEARTBEAT])]


def written(ask: Ask, **channels: str | list[str]) -> str:
    """Return the frame of `ask`, as both kinds of Coinbase read it."""
    kind = "subscribe" if ask.subscribe else "unsubscribe"
    return write({"type": kind, "product_ids": ask.symbols, **channels})


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    match control.type:
        case "subscriptions":
            listed = {
                product
                for channel in control.channels
                if channel.name.startswith(_BOOKS)
                for product in channel.product_ids
            }
            return (Acked(None, tuple(sorted(listed)), complete=True),)
        case "error":
            named = _REFUSED.match(control.reason)
            reason = ": ".join(filter(None, (control.message, control.reason)))
            return (RequestRefused(None, named.groups() if named else (), reason[:200]),)
        case "snapshot" | "l2update":
            raise FrameError("bad_shape", f"a {control.type} that is printed otherwise")
        case _:
            raise FrameError("unknown_channel", control.type[:60])
