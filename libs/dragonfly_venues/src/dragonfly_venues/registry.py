"""The venues that can be listened to: a folder each, with the same file names, and a line here."""

from __future__ import annotations

from typing import Final

from dragonfly_common.errors import ConfigError

from dragonfly_venues.binance import Binance
from dragonfly_venues.bitstamp import Bitstamp
from dragonfly_venues.kraken import Kraken
from dragonfly_venues.venue import Venue

__all__ = ["VENUES", "find_venue"]

VENUES: Final[dict[str, Venue]] = {venue.name: venue for venue in (Binance(), Bitstamp(), Kraken())}


def find_venue(name: str) -> Venue:
    """Return the venue called `name`, in any case.

    Raises:
        ConfigError: it is not supported; the message lists those that are.
    """
    venue = VENUES.get(name.strip().lower())
    if venue is None:
        raise ConfigError(
            f"{name[:60]!r} is not a venue that can be listened to: choose {', '.join(VENUES)}"
        )
    return venue
