"""Requests to Binance and its answers.

An unknown symbol is acknowledged like any other and then silent: only the instrument list and the
time limit for a first book find it out. Errors name the request at most, never the symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import Refusal, read, reason, write
from dragonfly_venues.events import Acked, Closing, Event, FrameError, RequestRefused
from dragonfly_venues.venue import Ask

__all__ = [
    "BBO_SUFFIX",
    "CHANGES_SUFFIX",
    "LEVELS",
    "STREAM_SUFFIX",
    "SYMBOLS_PER_REQUEST",
    "request",
    "request_changes",
    "understand",
]

LEVELS: Final = 20
"""Levels a side of the deepest channel of whole tops."""
STREAM_SUFFIX: Final = f"@depth{LEVELS}@100ms"
CHANGES_SUFFIX: Final = "@depth@100ms"
"""Of the changes of the whole book. The stream of 1000 ms counts by the same numbers: only one of
them may make a book."""
BBO_SUFFIX: Final = "@bookTicker"
SYMBOLS_PER_REQUEST: Final = 50
"""No limit is documented; the hundred streams of so many make a frame of about 3 kB."""


class _Notice(msgspec.Struct):
    e: str = ""


class _Control(msgspec.Struct):
    """An answer, an error (bare or wrapped), or a notice (bare or in a combined stream)."""

    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Refusal | None = None
    code: int | None = None
    msg: str = ""
    e: str = ""
    stream: str | None = None
    data: _Notice | None = None


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frames of `ask`: the best 20 levels, whatever depth of them is used."""
    return _request(ask, STREAM_SUFFIX)


def request_changes(ask: Ask) -> list[str]:
    """Return the frames of `ask`: changes of whole books."""
    return _request(ask, CHANGES_SUFFIX)


def _request(ask: Ask, suffix: str) -> list[str]:
    suffixes = (suffix, BBO_SUFFIX) if ask.bbo else (suffix,)
    return [
        write(
            {
                "method": "SUBSCRIBE" if ask.subscribe else "UNSUBSCRIBE",
                "params": [f"{symbol}{suffix}" for symbol in ask.symbols for suffix in suffixes],
                "id": ask.request_id,
            }
        )
    ]


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    request_id = control.id if isinstance(control.id, int) else None
    if "serverShutdown" in (control.e, control.data.e if control.data else ""):
        return (Closing("serverShutdown"),)
    if control.error is not None:
        return (RequestRefused(request_id, (), control.error.reason),)
    if control.code is not None:
        return (RequestRefused(request_id, (), reason(control.msg, control.code)),)
    if control.result is not msgspec.UNSET:
        return (Acked(request_id),)
    if control.stream is not None:
        raise FrameError("unknown_channel", control.stream[:60])
    raise FrameError("bad_shape", "neither a book nor an answer")
