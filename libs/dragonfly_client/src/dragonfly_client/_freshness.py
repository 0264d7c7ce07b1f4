"""A venue never goes back within a stream, whichever gateway and aggregator it ends up at."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from dragonfly_client.messages import State, View

__all__ = ["Freshness"]

PATIENCE_S: Final = 2.0
"""What is behind for so long is not late: the venue itself began to count anew."""

MOST_EPOCHS: Final = 16


class Freshness:
    """Remembers of each instrument of one stream how far it is, across reconnects.

    An aggregator numbers its views (`seq`) since its start (`epoch`). Aggregators take views over
    from each other, in any order of their epochs; what they have in common is the `venue_seq` of
    each live venue.
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
        if followed.is_behind(view):
            now = self._monotonic()
            followed.behind_since = followed.behind_since or now
            if now - followed.behind_since < PATIENCE_S:
                return False
            followed = self._followed[view.instrument] = _Followed()
        followed.advance(view)
        return True


class _Followed:
    """How far one instrument is."""

    def __init__(self) -> None:
        self.behind_since: float | None = None
        self._seqs: dict[int, int] = {}
        self._venue_seqs: dict[str, int] = {}

    def is_behind(self, view: View) -> bool:
        return view.seq < self._seqs.get(view.epoch, 0) or any(
            feed.venue_seq < self._venue_seqs.get(feed.venue, 0)
            for feed in view.venues
            if feed.state is State.LIVE
        )

    def advance(self, view: View) -> None:
        self.behind_since = None
        self._seqs.pop(view.epoch, None)  # so that the oldest is the one unheard for longest
        self._seqs[view.epoch] = view.seq
        if len(self._seqs) > MOST_EPOCHS:
            del self._seqs[next(iter(self._seqs))]
        for feed in view.venues:
            if feed.state is State.LIVE:
                self._venue_seqs[feed.venue] = feed.venue_seq
