"""What the replicas of one venue's listener say of one instrument, and who is believed. Pure.

Of those that are live the one with the newest `venue_seq` is believed; of equals the one that was.
So with two replicas each state of the venue counts once, whoever brings it first, and nothing goes
back. Where the one that was ahead is gone, what it said last stands until another has caught up,
for a moment at most: the venue is live all the while. From then on it is SYNCING, until another has
caught up, or for so long that the venue must have begun to count anew.
"""

from __future__ import annotations

from typing import Final

from dragonfly_common.types import FeedState

from aggregator.venue_books import VenueBook, behind_book, lost_book

__all__ = ["ReplicaArbiter"]

HOLD_S: Final = 0.5
RECOUNT_S: Final = 5.0
"""Longer than a live replica can be behind: by then a venue's silence and a slow line are found."""

BEHIND_REASON: Final = "what is sent of it now is older than what was shown"

LIVE = FeedState.LIVE


class ReplicaArbiter:
    """One venue's word on one instrument."""

    def __init__(self) -> None:
        self.chosen: VenueBook | None = None
        self.look_at: float | None = None
        """When to `look`: another word may be believed then, whatever is heard. None: never."""
        self._reached = -1
        """The last `venue_seq` that was believed."""
        self._left_at: float | None = None
        """Since when nobody who is live says that or more."""
        self._said: dict[str, VenueBook] = {}
        self._source: str | None = None
        self._lost: str | None = None
        """Who is remembered only because nobody else speaks."""

    def on_book(self, publisher: str, book: VenueBook, now: float) -> bool:
        """Take a replica's word; return whether another word is to be believed now."""
        if self._lost is not None:
            del self._said[self._lost]
            self._lost = None
        self._said[publisher] = book
        return self._choose(now)

    def on_lost(self, publisher: str, reason: str, now: float) -> bool:
        """Void a replica's word because it was lost; `on_book` says what is returned."""
        feed = self._said.pop(publisher, None)
        if feed is None:
            return False
        if publisher == self._source:
            self._source = None  # who comes back under this name is another process
        if not self._said:
            self._said[publisher] = lost_book(feed, reason)
            self._lost = publisher
        return self._choose(now)

    def on_released(self, publisher: str, now: float) -> bool:
        """Void a replica's word because it says itself that others carry the instrument."""
        if publisher == self._lost:
            self._lost = None
        return self._said.pop(publisher, None) is not None and self._choose(now)

    def look(self, now: float) -> bool:
        """Let go of what was held for long enough; `on_book` says what is returned."""
        return self.look_at is not None and self._choose(now)

    def _choose(self, now: float) -> bool:
        before = self.chosen
        source = self._newest() if len(self._said) > 1 else next(iter(self._said), None)
        said = None if source is None else self._said[source]
        self.look_at = None
        if said is None or said.state is not LIVE:
            self.chosen = said
            self._leave(now)
        elif said.venue_seq >= self._reached or self._counts_anew(now):
            self.chosen, self._source = said, source
            self._reached, self._left_at = said.venue_seq, None
        else:
            self._hold(said, now, by_itself=source == self._source)
        return self.chosen is not before

    def _leave(self, now: float) -> float:
        if self._left_at is None:
            self._left_at = now
        return self._left_at

    def _counts_anew(self, now: float) -> bool:
        return self._left_at is not None and now >= self._left_at + RECOUNT_S

    def _hold(self, behind: VenueBook, now: float, *, by_itself: bool) -> None:
        """Believe for a moment what was said last, then nothing, rather than what is behind it."""
        left_at = self._leave(now)
        self.look_at = left_at + HOLD_S
        stands = self.chosen is not None and self.chosen.state is LIVE and not by_itself
        if not stands or now >= self.look_at:
            self.look_at = left_at + RECOUNT_S
            self.chosen = behind_book(behind, BEHIND_REASON)

    def _newest(self) -> str:
        return max(
            self._said,
            key=lambda name: (
                self._said[name].state is LIVE,
                self._said[name].venue_seq,
                name == self._source,
            ),
        )
