"""The states of a connection, and the events that move it from one to another. Pure.

       WELCOMED              GREETED             SILENT           HEARD
    WELCOMING ────▶ GREETING ───────▶ SERVING ──────────▶ STALE ────────▶ FENCED
                                         ▲                                  │
                                         └──────────── ANSWERED ────────────┘
    ENDED from everywhere, for good

Only a connection that is SERVING publishes. What arrives first after a silence may have been sent
long before: it is fenced off by a ping, whose answer comes behind all of it. A connection that is
to be replaced serves, falls silent and is heard again like any other: that is no state.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

__all__ = ["TRANSITIONS", "ConnectionEvent", "ConnectionLife", "ConnectionState", "next_state"]


class ConnectionState(Enum):
    """How far a connection can be used."""

    WELCOMING = auto()
    """The venue speaks first, and hears nothing before."""
    GREETING = auto()
    """The frames that come before all requests are being sent."""
    SERVING = auto()
    """Books are asked for and published."""
    STALE = auto()
    """The venue says nothing, against its own rule: no book of it stands."""
    FENCED = auto()
    """It is heard again, and the answer to a ping is awaited."""
    ENDED = auto()
    """Nothing that it still holds is read."""


class ConnectionEvent(Enum):
    """The causes of a change of state."""

    WELCOMED = auto()
    GREETED = auto()
    SILENT = auto()
    """Nothing was heard for as long as the venue's silence may last."""
    HEARD = auto()
    """Frames come again, and a ping was sent behind them."""
    ANSWERED = auto()
    """The venue answered that ping."""
    ENDED = auto()
    """The connection was lost or given up."""


WELCOMING, GREETING, SERVING, STALE, FENCED, ENDED = ConnectionState

# An event that names no state means nothing in it.
TRANSITIONS: Final[Mapping[ConnectionEvent, Mapping[ConnectionState, ConnectionState]]] = {
    ConnectionEvent.WELCOMED: {WELCOMING: GREETING},
    ConnectionEvent.GREETED: {GREETING: SERVING},
    # A second silence leaves a fence where it is, so that its answer has a deadline. Where nothing
    # was asked for yet, no book can be old.
    ConnectionEvent.SILENT: {SERVING: STALE},
    ConnectionEvent.HEARD: {STALE: FENCED},
    ConnectionEvent.ANSWERED: {FENCED: SERVING},
    ConnectionEvent.ENDED: dict.fromkeys((WELCOMING, GREETING, SERVING, STALE, FENCED), ENDED),
}


def next_state(state: ConnectionState, event: ConnectionEvent) -> ConnectionState | None:
    """Return the state after `event`, or None where it means nothing."""
    return TRANSITIONS[event].get(state)


class ConnectionLife:
    """One connection's state. It is read at every frame, so it is a plain attribute."""

    def __init__(self, now: float, *, welcomes: bool) -> None:
        """`welcomes` is `Venue.welcomes`."""
        self.state = WELCOMING if welcomes else GREETING
        self.since = now
        """When it entered its state."""

    def take(self, event: ConnectionEvent, now: float) -> bool:
        """Apply `event`; return False where it means nothing."""
        state = next_state(self.state, event)
        if state is None:
            return False
        self.state, self.since = state, now
        return True
