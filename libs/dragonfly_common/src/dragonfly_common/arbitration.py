"""Several sources, one chosen: for how long the message of a source that is gone stands. Pure.

When the source of what is shown is gone and all others are behind it, its message is held for a
moment, so that nothing goes back. Then it is withheld: nothing is shown as live. As soon as another
source has caught up, that one is chosen. What is still behind after RECOUNT_S counts anew: no live
replica is behind for so long, so the venue itself must have begun to count from the start.

`aggregator/arbiter.py` (replicas of a listener) and `dragonfly_views/relay.py` (replicas of an
aggregator) go by these times. Which message is ahead each says by itself: one `venue_seq` there, a
`venue_seq` for each venue here, of which either may be ahead. No such choice are

- the connections of one listener (`feed_listener/feeds.py`): they are in one process, which knows
  which of them is trusted, and replaces one before it breaks the other;
- the status of a venue (`aggregator/reported_venues.py`): what its listeners say is added up, not
  chosen;
- the statuses in a gateway (`dragonfly_views/venue_statuses.py`): they carry no sequence, so the
  newest live one is shown at once.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["HOLD_S", "RECOUNT_S", "Stage", "Succession"]

HOLD_S: Final = 0.5
RECOUNT_S: Final = 5.0
"""Longer than a live replica can be behind: by then a venue's silence and a slow line are found."""


class Stage(Enum):
    """The fate of a message whose source is gone while all others are behind it."""

    HELD = "held"
    """It stands."""
    WITHHELD = "withheld"
    """It stands no more, and what is behind it is not shown either."""
    RECOUNTED = "recounted"
    """A message that is behind it may take its place."""


class Succession:
    """The time since the source of what is shown is gone."""

    def __init__(self) -> None:
        self.left_at: float | None = None
        """When it went; None, which ends it, while a source that is there is chosen."""

    def begin(self, now: float) -> float:
        """Note that the source is gone; return since when, for the first time counts."""
        if self.left_at is None:
            self.left_at = now
        return self.left_at

    def stage(self, now: float) -> Stage | None:
        """Return how far it has come, None while the source is there."""
        if self.left_at is None:
            return None
        if now >= self.left_at + RECOUNT_S:
            return Stage.RECOUNTED
        return Stage.HELD if now < self.left_at + HOLD_S else Stage.WITHHELD
