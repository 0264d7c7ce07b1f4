"""The surroundings that all connections to one venue share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dragonfly_common.clock import Clock
from dragonfly_common.staleness import PauseDetector
from dragonfly_venues.events import Trading
from dragonfly_venues.venue import Venue

from feed_listener.directory import LIST_INTERVAL_S
from feed_listener.feeds import Feeds

__all__ = ["VenueContext"]


@dataclass(frozen=True)
class VenueContext:
    """One venue, the feeds of it that are published, and who is told what it says."""

    venue: Venue
    depth: int
    """Levels a side that are read."""
    shown: int
    """Levels a side that are published."""
    feeds: Feeds
    clock: Clock
    pauses: PauseDetector
    doubt_list: Callable[[], None]
    """Called when a listed symbol sends no book: the instrument list may be old."""
    note_trading: Callable[[str, Trading], None]
    """Called when the venue says whether the market of a symbol can be traded."""
    on_unbooked: Callable[[], None] = lambda: None
    """Called when a symbol begins to wait for its first book, or can be served again."""
    list_interval_s: float = LIST_INTERVAL_S
    """How long a connection's word that the venue is halted is believed without another."""
    audit: bool = False
    """More is asked for than the books, to hold them against it."""
    best_prices: bool = False
    """Best prices are asked for beside the books, and shown where they are ahead."""
