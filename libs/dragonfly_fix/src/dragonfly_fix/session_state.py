"""The states of a session on one connection, and the events that move it on. Pure.

                LOGON               LEAVE
     AWAITING ─────────▶ ACTIVE ──────────────▶ LEAVING
    LOGON_SENT              │ LOGOUT, BREACH       │ LOGOUT, BREACH
        │ BREACH            ▼                      ▼
        └──────────────▶ CLOSING ───────────────▶ ENDED ◀── END from everywhere
                                LOGOUT

A Logout of ours is said once: in LEAVING and CLOSING it is out. LEAVING still hears and serves
everything, since what the other side sent before it read the Logout counts. CLOSING hears nothing
but a Logout: either the other side said it first and was answered, or it broke a rule that no
Reject mends, and its numbers are no longer believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

__all__ = ["TRANSITIONS", "SessionEvent", "SessionState", "next_state"]


class SessionState(Enum):
    """How far a session has come."""

    AWAITING = auto()
    """An acceptor has heard no Logon."""
    LOGON_SENT = auto()
    """An initiator awaits the answer to its Logon."""
    ACTIVE = auto()
    """Both sides are logged on."""
    LEAVING = auto()
    """We asked to log out."""
    CLOSING = auto()
    """All is said: the other side is to close the connection."""
    ENDED = auto()
    """The connection is to be closed by us."""


class SessionEvent(Enum):
    """The causes of a change of state."""

    LOGON = auto()
    """The other side's Logon was accepted."""
    LEAVE = auto()
    """Our application logs out."""
    LOGOUT = auto()
    """The other side's Logout came."""
    BREACH = auto()
    """A rule was broken, of which a Logout tells."""
    END = auto()
    """The connection was lost, is given up, or was never to be answered."""


AWAITING, LOGON_SENT, ACTIVE, LEAVING, CLOSING, ENDED = SessionState

# An event that names no state means nothing in it.
TRANSITIONS: Final[Mapping[SessionEvent, Mapping[SessionState, SessionState]]] = {
    SessionEvent.LOGON: {AWAITING: ACTIVE, LOGON_SENT: ACTIVE},
    SessionEvent.LEAVE: {ACTIVE: LEAVING},
    SessionEvent.LOGOUT: {LOGON_SENT: ENDED, ACTIVE: CLOSING, LEAVING: ENDED, CLOSING: ENDED},
    SessionEvent.BREACH: {
        AWAITING: CLOSING,
        LOGON_SENT: CLOSING,
        ACTIVE: CLOSING,
        LEAVING: ENDED,
    },
    SessionEvent.END: dict.fromkeys(SessionState, ENDED),
}


def next_state(state: SessionState, event: SessionEvent) -> SessionState | None:
    """Return the state after `event`, or None where it means nothing."""
    return TRANSITIONS[event].get(state)
