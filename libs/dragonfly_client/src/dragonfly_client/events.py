"""What a client says about its own connections, apart from the data."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Disconnected", "Event", "EventListener", "Reconnected", "Refused", "log_event"]

_log: Final = logging.getLogger("dragonfly_client")


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A stream that worked was cut, and is being opened again; nothing it said holds any more."""

    stream: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The stream works again; its next message follows this event."""

    stream: str
    downtime_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A stream of several instruments goes on without this one; `reason` is the gateway's.

    Told once. Where the reason is that no venue lists it, it comes when one does.
    """

    stream: str
    instrument: str
    reason: str


Event = Disconnected | Reconnected | Refused
EventListener = Callable[[Event], None]


def log_event(event: Event) -> None:
    """Write `event` to the logger `dragonfly_client`: what a client does with events by default."""
    match event:
        case Disconnected(stream, reason):
            _log.warning("stream disconnected: %s (%s)", stream, reason)
        case Reconnected(stream, downtime_s):
            # As loud as the loss: who reads of that without a word of the end thinks it lasts.
            _log.warning("stream reconnected: %s after %.2f s", stream, downtime_s)
        case Refused(stream, instrument, reason):
            _log.warning("stream goes on without %s: %s (%s)", instrument, stream, reason)
