"""Requests to Gemini and its answers.

One stream that the venue does not know makes it refuse the whole request, without naming a symbol.
An acknowledgement may come after the first books.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import Refusal, read, write
from dragonfly_venues.events import Acked, Event, FrameError, RequestRefused
from dragonfly_venues.venue import Ask, offered

__all__ = ["SYMBOLS_PER_REQUEST", "TOPS", "ping", "request", "request_changes", "understand"]

TOPS: Final = (5, 10, 20)
"""Levels a side that whole tops are offered with."""
SYMBOLS_PER_REQUEST: Final = 50
"""No limit is documented; the hundred streams of so many make a frame of about 2 kB."""

_OK: Final = 200


class _Control(msgspec.Struct):
    status: int
    id: int | str | None = None
    error: Refusal | None = None


_CONTROL: Final = msgspec.json.Decoder(_Control)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: whole tops; to end them, the depth must be the same."""
    levels = offered(ask.depth, TOPS)
    return _request(ask, f"@depth{levels}@100ms")


def request_changes(ask: Ask) -> list[str]:
    """Return the frame of `ask`: changes of whole books.

    Those of every second count by the same numbers: only one of the two may make a book.
    """
    return _request(ask, "@depth@100ms")


def ping(request_id: int) -> str:
    """Return a frame that the venue answers with an acknowledgement."""
    return write({"id": request_id, "method": "ping"})


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    request_id = control.id if isinstance(control.id, int) else None
    if control.error is not None:
        return (RequestRefused(request_id, (), control.error.reason),)
    if control.status != _OK:
        raise FrameError("bad_shape", f"status {control.status}")
    return (Acked(request_id),)


def _request(ask: Ask, suffix: str) -> list[str]:
    suffixes = (suffix, "@bookTicker") if ask.bbo else (suffix,)
    return [
        write(
            {
                "id": ask.request_id,
                "method": "subscribe" if ask.subscribe else "unsubscribe",
                "params": [f"{symbol}{suffix}" for symbol in ask.symbols for suffix in suffixes],
            }
        )
    ]
