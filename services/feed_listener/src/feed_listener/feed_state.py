"""The states of a feed, and the events that move it from one to another. Pure.

                 ASKED            BOOK              SILENT
       DOWN ───────────▶ SYNCING ──────▶ LIVE ─────────────▶ STALE
        ▲                   ▲ ▲            │ ▲                  │
        │ LOST              │ └─── VOID ───┘ └────── BOOK ──────┘
        └── from everywhere │ RESUMED
            but UNKNOWN     │                  UNLISTED ──▶ UNKNOWN from everywhere
            and HALTED    HALTED ◀── HALT from everywhere

Only a book makes a feed LIVE. Asking for a feed that is LIVE changes nothing: that is how a
successor connection takes over unseen. What happens to connections and books while the venue has
halted trading changes nothing either: a feed is HALTED until trading resumes or the venue lists
the instrument no longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from dragonfly_common.types import FeedState

__all__ = ["TRANSITIONS", "FeedEvent", "next_state"]

SYNCING, LIVE, STALE, DOWN, UNKNOWN, HALTED = (
    FeedState.SYNCING,
    FeedState.LIVE,
    FeedState.STALE,
    FeedState.DOWN,
    FeedState.UNKNOWN,
    FeedState.HALTED,
)


class FeedEvent(Enum):
    """The causes of a change of state."""

    ASKED = auto()
    """It is being subscribed at the venue, for the first time or anew."""
    BOOK = auto()
    """Its connection sent a book that can be trusted."""
    SILENT = auto()
    """Its connection says nothing, against the venue's own rule; or this process stood still."""
    VOID = auto()
    """Its book is void, and its connection will have another: a checksum failed, or a successor
    took over that has none yet."""
    LOST = auto()
    """There is no connection for it, or no way to find out its symbol."""
    UNLISTED = auto()
    """The venue does not list it."""
    REFUSED = auto()
    """The venue lists it and refuses to send it."""
    HALT = auto()
    """The venue says that nobody can trade it now."""
    RESUMED = auto()
    """The venue says that it can be traded again."""


# None: the event means nothing in that state, not even another reason.
TRANSITIONS: Final[Mapping[FeedEvent, Mapping[FeedState, FeedState | None]]] = {
    FeedEvent.ASKED: {
        SYNCING: SYNCING,
        LIVE: None,
        STALE: SYNCING,
        DOWN: SYNCING,
        UNKNOWN: SYNCING,
        HALTED: None,
    },
    FeedEvent.BOOK: {
        SYNCING: LIVE,
        LIVE: None,
        STALE: LIVE,
        DOWN: LIVE,
        UNKNOWN: LIVE,
        HALTED: None,
    },
    FeedEvent.SILENT: {
        SYNCING: None,
        LIVE: STALE,
        STALE: STALE,
        DOWN: None,
        UNKNOWN: None,
        HALTED: None,
    },
    FeedEvent.VOID: {
        SYNCING: SYNCING,
        LIVE: SYNCING,
        STALE: SYNCING,
        DOWN: None,
        UNKNOWN: None,
        HALTED: None,
    },
    FeedEvent.LOST: {
        SYNCING: DOWN,
        LIVE: DOWN,
        STALE: DOWN,
        DOWN: DOWN,
        UNKNOWN: None,
        HALTED: None,
    },
    FeedEvent.UNLISTED: dict.fromkeys(FeedState, UNKNOWN),
    FeedEvent.REFUSED: {**dict.fromkeys(FeedState, UNKNOWN), HALTED: None},
    FeedEvent.HALT: dict.fromkeys(FeedState, HALTED),
    FeedEvent.RESUMED: {**dict.fromkeys(FeedState), HALTED: SYNCING},
}


def next_state(state: FeedState, event: FeedEvent) -> FeedState | None:
    """Return the state after `event`, or None where it means nothing."""
    return TRANSITIONS[event][state]
