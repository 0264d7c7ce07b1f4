"""A venue never goes back within a stream, whichever gateway and aggregator it ends up at."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from dragonfly_client.messages import State, VenueFeed, View

__all__ = ["Freshness"]

PATIENCE_S: Final = 4.0
"""What is behind for so long is not late: the venue itself began to count anew. Aggregators wait a
little longer themselves before they believe that, and call the venue SYNCING meanwhile."""

MOST_EPOCHS: Final = 16


class Freshness:
    """Remembers of each instrument of one stream how far it is, across reconnects.

    An aggregator numbers its views (`seq`) since its start (`epoch`). Aggregators take views over
    from each other, in any order of their epochs; what they have in common is how far each live
    venue is: its best prices (`venue_seq`), and the levels below them (`book_seq`).
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._followed: dict[str, _Followed] = {}

    def admit(self, view: View) -> bool:
        """Return whether `view` is no older than what was admitted before.

        The same state again is admitted: after a reconnect it says that nothing changed.
        Epoch 0 is the gateway's own word, that no aggregator speaks for the instrument.
        """
        if view.epoch == 0:
            return True
        followed = self._followed.setdefault(view.instrument, _Followed())
        now = self._monotonic()
        if followed.is_behind(view, now):
            return False
        followed.advance(view, now)
        return True


class _Followed:
    """How far one instrument is."""

    def __init__(self) -> None:
        self._seqs: dict[int, _Mark] = {}
        self._venues: dict[tuple[str, str], tuple[_Mark, _Mark]] = {}
        """By (instrument, venue): an equivalence is made of several instruments."""

    def is_behind(self, view: View, now: float) -> bool:
        """Say so; each of what is behind, for its patience begins with that."""
        mark = self._seqs.get(view.epoch)
        behind = mark is not None and view.seq < mark.reached and mark.refuses(now)
        for key, feed in view.feeds.items():
            marks = self._venues.get(key, ()) if feed.state is State.LIVE else ()
            for mark, at in zip(marks, _place(feed), strict=False):
                if at < mark.reached:
                    behind |= mark.refuses(now)
        return behind

    def advance(self, view: View, now: float) -> None:
        # At the end, so that the oldest is the one unheard for longest.
        mark = self._seqs[view.epoch] = self._seqs.pop(view.epoch, _Mark())
        mark.reach(view.seq)
        if len(self._seqs) > MOST_EPOCHS:
            del self._seqs[next(iter(self._seqs))]
        for key, feed in view.feeds.items():
            if feed.state is State.LIVE:
                marks = self._venues.setdefault(key, (_Mark(), _Mark()))
                for mark, at in zip(marks, _place(feed), strict=True):
                    mark.reach(at)
            else:
                for mark in self._venues.get(key, ()):
                    mark.leave(now)


def _place(feed: VenueFeed) -> tuple[int, int]:
    return feed.venue_seq, feed.book_seq or feed.venue_seq


class _Mark:
    """How far something is, and since when it is not said any more to be there."""

    __slots__ = ("_left_at", "reached")

    def __init__(self) -> None:
        self.reached = 0
        self._left_at: float | None = None

    def reach(self, number: int) -> None:
        self.reached = number
        self._left_at = None

    def leave(self, now: float) -> float:
        if self._left_at is None:
            self._left_at = now
        return self._left_at

    def refuses(self, now: float) -> bool:
        """Say whether what is behind is late rather than counted anew."""
        return now - self.leave(now) < PATIENCE_S
