"""The past of the instruments that people look at.

An instrument is followed from when its past is asked for first until nobody asked for a quarter of
an hour, so that a page that is opened now shows what was before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dragonfly_client.messages import Bbo
from dragonfly_common.clock import Clock
from dragonfly_views.refusals import CallRefusedError

from web_gateway.feeds import FeedQuestion, WebFeed, WebFeeds
from web_gateway.past import Past

__all__ = ["MOST_KEPT", "UNASKED_S", "Histories"]

MOST_KEPT: Final = 16
"""Instruments, beside those that are always followed."""
UNASKED_S: Final = 15 * 60


class _Following:
    """Takes an instrument's best prices as they come, into its past."""

    def __init__(self, name: str, feeds: WebFeeds, clock: Clock) -> None:
        self._clock = clock
        self.past = Past(clock.now_ns())
        self.asked_at = clock.monotonic()
        self.feed: WebFeed = feeds.follow(FeedQuestion("bbo", name), self)

    def wake(self) -> None:
        now, said = self._clock.now_ns(), self.feed.said
        if self.feed.lost:
            self.past.lose(self.feed.lost, now)
        elif isinstance(said, Bbo):
            self.past.take(said, now)


class Histories:
    """The past of each instrument that was asked for lately, and of those always followed."""

    def __init__(self, feeds: WebFeeds, always: Iterable[str], clock: Clock) -> None:
        self._feeds = feeds
        self._clock = clock
        self._always = frozenset(always)
        self._kept: dict[str, _Following] = {}

    def ask(self, name: str) -> Past:
        """Return what is known of an instrument's past, and go on keeping it.

        Raises:
            CallRefusedError: too many streams are followed.
        """
        kept = self._kept.pop(name, None) or _Following(name, self._feeds, self._clock)
        kept.asked_at = self._clock.monotonic()
        self._kept[name] = kept
        return kept.past

    def known(self, name: str) -> Past | None:
        """Return what is kept of an instrument, None where nothing is."""
        kept = self._kept.get(name)
        return kept.past if kept else None

    def refresh(self) -> None:
        """Begin what is always followed, and leave what nobody asks for any more."""
        for name in self._always - self._kept.keys():
            try:
                self.ask(name)
            except CallRefusedError:
                return
        # Those asked for last come last.
        others = [name for name in self._kept if name not in self._always]
        unasked = self._clock.monotonic() - UNASKED_S
        for place, name in enumerate(others):
            kept = self._kept[name]
            if kept.feed.refused or kept.asked_at < unasked or len(others) - place > MOST_KEPT:
                self._feeds.leave(self._kept.pop(name).feed, kept)
