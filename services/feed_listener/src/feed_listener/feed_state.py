"""The states of a feed, and what moves it from one to another. Pure.

                 ASKED            BOOK              SILENT
       DOWN ───────────▶ SYNCING ──────▶ LIVE ─────────────▶ STALE
        ▲                   ▲              │ ▲                  │
        │ LOST              └───── VOID ───┘ └────── BOOK ──────┘
        └── from everywhere but UNKNOWN        UNLISTED ──▶ UNKNOWN from everywhere

Only a book makes a feed LIVE. Asking for a feed that is LIVE changes nothing: that is how a
successor connection takes over unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from dragonfly_common.types import FeedState

__all__ = ["TRANSITIONS", "FeedEvent", "next_state"]

SYNCING, LIVE, STALE, DOWN, UNKNOWN = (
    FeedState.SYNCING,
    FeedState.LIVE,
    FeedState.STALE,
    FeedState.DOWN,
    FeedState.UNKNOWN,
)


class FeedEvent(Enum):
    """What happens to a feed."""

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
    """The venue does not list it, or refuses it."""


# None: the event means nothing in that state, not even another reason.
TRANSITIONS: Final[Mapping[FeedEvent, Mapping[FeedState, FeedState | None]]] = {
    FeedEvent.ASKED: {
        SYNCING: SYNCING,
        LIVE: None,
        STALE: SYNCING,
        DOWN: SYNCING,
        UNKNOWN: SYNCING,
    },
    FeedEvent.BOOK: {SYNCING: LIVE, LIVE: None, STALE: LIVE, DOWN: LIVE, UNKNOWN: LIVE},
    FeedEvent.SILENT: {SYNCING: None, LIVE: STALE, STALE: STALE, DOWN: None, UNKNOWN: None},
    FeedEvent.VOID: {SYNCING: SYNCING, LIVE: SYNCING, STALE: SYNCING, DOWN: None, UNKNOWN: None},
    FeedEvent.LOST: {SYNCING: DOWN, LIVE: DOWN, STALE: DOWN, DOWN: DOWN, UNKNOWN: None},
    FeedEvent.UNLISTED: {
        SYNCING: UNKNOWN,
        LIVE: UNKNOWN,
        STALE: UNKNOWN,
        DOWN: UNKNOWN,
        UNKNOWN: UNKNOWN,
    },
}


def next_state(state: FeedState, event: FeedEvent) -> FeedState | None:
    """Return the state after `event`, or None where it means nothing."""
    return TRANSITIONS[event][state]
