"""The venues as their listeners report them. Pure."""

from __future__ import annotations

from collections.abc import KeysView
from typing import Final

from dragonfly_common.messages import VenueStatus
from dragonfly_common.types import FeedState
from msgspec.structs import replace

__all__ = ["ReportedVenues"]

_NOBODY: Final = ""
"""Stands among the listeners of a venue for the last one, once it is lost."""


class ReportedVenues:
    """The status of each venue, of all replicas of its listener."""

    def __init__(self) -> None:
        self._venues: dict[str, dict[str, VenueStatus]] = {}
        """By venue, by listener."""

    @property
    def venues(self) -> KeysView[str]:
        """Every venue of which a listener spoke."""
        return self._venues.keys()

    def is_live(self) -> bool:
        """Say whether any venue is live."""
        return any(self.of(venue).state is FeedState.LIVE for venue in self._venues)

    def of(self, venue: str) -> VenueStatus:
        """Return what all replicas of a venue's listener say of it, as one."""
        said = self._venues[venue].values()
        if len(said) == 1:
            return next(iter(said))
        best = max(said, key=lambda status: status.state is FeedState.LIVE)
        return replace(
            best,
            listener=", ".join(sorted(status.listener for status in said)),
            connections=sum(status.connections for status in said),
            instruments=sum(status.instruments for status in said),
            instruments_live=sum(status.instruments_live for status in said),
            feeds=tuple(feed for status in said for feed in status.feeds),
        )

    def on_venue(self, publisher: str, status: VenueStatus) -> None:
        """Take what a listener says of its venue."""
        said = self._venues.setdefault(status.venue, {})
        said.pop(_NOBODY, None)
        said[publisher] = status

    def on_lost(self, publisher: str, reason: str, now_ns: int) -> list[str]:
        """Void what a listener said, and return of which venues: without another they are DOWN."""
        venues = [venue for venue, said in self._venues.items() if said.pop(publisher, None)]
        for venue in venues:
            if not self._venues[venue]:
                self._venues[venue][_NOBODY] = VenueStatus(
                    venue, FeedState.DOWN, reason, publisher, 0, 0, 0, now_ns
                )
        return venues
