"""What the replicas of one venue's listener say of one instrument, and who is believed. Pure.

Of those that are live the one with the newest `venue_seq` is believed; of equals the one that was.
So with two replicas each state of the venue counts once, whoever brings it first, and nothing goes
back. Where the one that was ahead is gone, what it said last stands until another has caught up,
for a moment at most: the venue is live all the while.
"""

from __future__ import annotations

from typing import Final

from dragonfly_common.types import FeedState

from aggregator.feeds import Feed, lost_feed

__all__ = ["Voices"]

HOLD_S: Final = 0.5

LIVE = FeedState.LIVE


class Voices:
    """One venue's word on one instrument."""

    def __init__(self) -> None:
        self.believed: Feed | None = None
        self.held_until: float | None = None
        """Until when a word stands whose speaker is gone, None when there is none like that."""
        self._said: dict[str, Feed] = {}
        self._speaker: str | None = None
        self._lost: str | None = None
        """Who is remembered only because nobody else speaks."""

    def hear(self, publisher: str, feed: Feed, now: float) -> bool:
        """Take a replica's word; return whether another word is to be believed now."""
        if self._lost is not None:
            del self._said[self._lost]
            self._lost = None
        self._said[publisher] = feed
        return self._choose(now)

    def lose(self, publisher: str, reason: str, now: float) -> bool:
        """Void a replica's word because it was lost; `hear` says what is returned."""
        feed = self._said.pop(publisher, None)
        if feed is None:
            return False
        if not self._said:
            self._said[publisher] = lost_feed(feed, reason)
            self._lost = publisher
        return self._choose(now)

    def release(self, publisher: str, now: float) -> bool:
        """Void a replica's word because it says itself that others carry the instrument."""
        if publisher == self._lost:
            self._lost = None
        return self._said.pop(publisher, None) is not None and self._choose(now)

    def look(self, now: float) -> bool:
        """Let go of what was held for long enough; `hear` says what is returned."""
        return self.held_until is not None and self._choose(now)

    def _choose(self, now: float) -> bool:
        before = self.believed
        speaker = self._newest() if len(self._said) > 1 else next(iter(self._said), None)
        chosen = None if speaker is None else self._said[speaker]
        if self._steps_back(chosen):
            self.held_until = self.held_until or now + HOLD_S
            if now < self.held_until:
                return False
        self.held_until = None
        self._speaker, self.believed = speaker, chosen
        return chosen is not before

    def _newest(self) -> str:
        return max(
            self._said,
            key=lambda name: (
                self._said[name].state is LIVE,
                self._said[name].venue_seq,
                name == self._speaker,
            ),
        )

    def _steps_back(self, chosen: Feed | None) -> bool:
        """Say whether `chosen` is live, but behind one that was believed and is live no more."""
        believed = self.believed
        return (
            believed is not None
            and chosen is not None
            and believed.state is LIVE
            and chosen.state is LIVE
            and chosen.venue_seq < believed.venue_seq
            and self._said.get(self._speaker or "") is not chosen
        )
