"""Which replica's book of one venue and instrument is chosen, of several of its listener. Pure.

Of the live books the one with the newest `venue_seq` is chosen that goes back in nothing, neither
in its best prices nor in the levels below them (`book_seq`); of equals that of the source that was.
So with two replicas each state of the venue counts once, whichever brings it first, and no book
goes back. When the source that was ahead is gone, its book stands for HOLD_S while the others
are behind: the venue is live all the while. Then it is SYNCING, until another source has caught up
or counts anew (`dragonfly_common.arbitration`). Who is behind by the count and has the same levels
is not behind: a listener does not tell of what changes below the levels that it publishes.
"""

from __future__ import annotations

from typing import Final

from dragonfly_common.arbitration import HOLD_S, RECOUNT_S, Stage, Succession
from dragonfly_common.types import FeedState

from aggregator.venue_books import VenueBook, behind_book, counted_book, lost_book

__all__ = ["ReplicaArbiter"]

BEHIND_REASON: Final = "what is sent of it now is older than what was shown"

LIVE = FeedState.LIVE


class ReplicaArbiter:
    """One venue's book of one instrument, as its listener's replicas send it."""

    def __init__(self) -> None:
        self.chosen: VenueBook | None = None
        self.look_at: float | None = None
        """When to `look`: another book may be chosen then, whatever arrives. None: never."""
        self._reached = (-1, -1)
        """How far the book was that was chosen last; see `VenueBook.reached`."""
        self._succession = Succession()
        """Begun while no live replica has come as far."""
        self._books: dict[str, VenueBook] = {}
        self._source: str | None = None
        self._lost: str | None = None
        """The source whose book is kept only because there is no other."""

    def on_book(self, publisher: str, book: VenueBook, now: float) -> bool:
        """Take a replica's book; return whether another book is chosen now."""
        if self._lost is not None:
            del self._books[self._lost]
            self._lost = None
        self._books[publisher] = book
        return self._choose(now)

    def on_lost(self, publisher: str, reason: str, now: float) -> bool:
        """Void the book of a replica that was lost; `on_book` says what is returned."""
        feed = self._books.pop(publisher, None)
        if feed is None:
            return False
        if publisher == self._source:
            self._source = None  # who comes back under this name is another process
        if not self._books:
            self._books[publisher] = lost_book(feed, reason)
            self._lost = publisher
        return self._choose(now)

    def on_released(self, publisher: str, now: float) -> bool:
        """Void the book of a replica that says that others carry the instrument."""
        if publisher == self._lost:
            self._lost = None
        return self._books.pop(publisher, None) is not None and self._choose(now)

    def look(self, now: float) -> bool:
        """Let go of what was held for long enough; `on_book` says what is returned."""
        return self.look_at is not None and self._choose(now)

    def _choose(self, now: float) -> bool:
        before = self.chosen
        source = self._newest() if len(self._books) > 1 else next(iter(self._books), None)
        newest = None if source is None else self._books[source]
        reached = (0, 0) if newest is None else newest.reached
        behind = self._is_behind(reached)
        if source is not None and newest is not None and behind:
            newest = self._books[source] = self._counted(newest)
            reached = newest.reached
            behind = self._is_behind(reached)
        self.look_at = None
        if newest is None or newest.state is not LIVE:
            self.chosen = newest
            self._succession.begin(now)
        elif not behind or self._is_recounted(now):
            self.chosen, self._source = newest, source
            self._reached, self._succession.left_at = reached, None
        else:
            self._hold(newest, now, by_itself=source == self._source)
        return self.chosen is not before

    def _is_behind(self, reached: tuple[int, int]) -> bool:
        (best, below), (shown_best, shown_below) = reached, self._reached
        return best < shown_best or below < shown_below

    def _counted(self, behind: VenueBook) -> VenueBook:
        """Return a book that is behind, counted as what is shown if it has the same levels."""
        shown = self.chosen
        if shown is None or not (behind.state is shown.state is LIVE):
            return behind
        same = behind.bids == shown.bids and behind.asks == shown.asks
        return counted_book(behind, shown) if same else behind

    def _is_recounted(self, now: float) -> bool:
        return self._succession.stage(now) is Stage.RECOUNTED

    def _hold(self, behind: VenueBook, now: float, *, by_itself: bool) -> None:
        """Keep the chosen book for a moment, then none, rather than the one that is behind it."""
        left_at = self._succession.begin(now)
        stands = self.chosen is not None and self.chosen.state is LIVE and not by_itself
        if stands and self._succession.stage(now) is Stage.HELD:
            self.look_at = left_at + HOLD_S
        else:
            self.look_at = left_at + RECOUNT_S
            self.chosen = behind_book(behind, BEHIND_REASON)

    def _newest(self) -> str:
        return max(
            self._books,
            key=lambda name: (
                self._books[name].state is LIVE,
                not self._is_behind(self._books[name].reached),
                self._books[name].reached,
                name == self._source,
            ),
        )
