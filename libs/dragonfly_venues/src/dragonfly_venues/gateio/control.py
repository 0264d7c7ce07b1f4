"""Requests to Gate.io and its answers.

An unknown pair is acknowledged like any other and then silent: only the instrument list and the
time limit for a first book find it out. An error names the request, never the pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import Refusal, read, write
from dragonfly_venues.events import Acked, Event, FrameError, Heard, RequestRefused
from dragonfly_venues.venue import Ask, offered

__all__ = [
    "BEST",
    "CHANNEL",
    "STREAM_PREFIX",
    "SYMBOLS_PER_REQUEST",
    "WINDOWS",
    "ping",
    "request",
    "stamp",
    "understand",
]

CHANNEL: Final = "spot.obu"
BEST: Final = "spot.book_ticker"
STREAM_PREFIX: Final = "ob."
WINDOWS: Final = (50, 400)
"""Levels a side that its books are offered with, the first every 20 ms, the second every 100."""
SYMBOLS_PER_REQUEST: Final = 50
"""No limit is documented; fifty streams make a frame of about 1 kB."""

_NS_PER_S: Final = 1_000_000_000


class _Control(msgspec.Struct):
    channel: str
    event: str = ""
    id: int | None = None
    error: Refusal | None = None


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frames of `ask`; to end books, the depth must be the same."""
    levels = offered(ask.depth, WINDOWS)
    books = [f"{STREAM_PREFIX}{symbol}.{levels}" for symbol in ask.symbols]
    channels = {CHANNEL: books, BEST: list(ask.symbols)} if ask.bbo else {CHANNEL: books}
    return [
        write(
            {
                "id": ask.request_id,
                "channel": channel,
                "event": "subscribe" if ask.subscribe else "unsubscribe",
                "payload": payload,
            }
        )
        for channel, payload in channels.items()
    ]


def ping(_: int) -> str:
    """Return the ping that keeps a quiet connection open, and is answered."""
    return write({"channel": "spot.ping"})


def stamp(frame: str, now_ns: int) -> str:
    """Return `frame` with the time in seconds, which is to be within 60 s of the venue's."""
    return f'{{"time":{now_ns // _NS_PER_S},{frame[1:]}'


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    if control.channel == "spot.pong":
        return (Heard(),)
    if control.error is not None:
        return (RequestRefused(control.id, (), control.error.reason),)
    if control.event not in {"subscribe", "unsubscribe"}:
        raise FrameError("unknown_channel", f"{control.channel[:60]} {control.event[:60]}")
    return (Acked(control.id, subscribed=control.event == "subscribe"),)
