"""The venues that are known: every package tells its own by the entry point `dragonfly.venues`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Final

from dragonfly_common.errors import ConfigError

from dragonfly_venues.venue import Venue

__all__ = ["ENTRY_POINT", "find_venue", "venue_names"]

ENTRY_POINT: Final = "dragonfly.venues"
"""Of a distribution: the venue's name, and its class of `Venue`."""


@cache
def venue_names() -> tuple[str, ...]:
    """Return the names of all venues that installed packages offer, in order."""
    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINT)}))


@cache
def _load(name: str) -> Venue:
    (point, *_) = entry_points(group=ENTRY_POINT, name=name)
    try:
        venue: Venue = point.load()()
    except Exception as error:
        raise ConfigError(
            f"the venue {name!r} ({point.value}) cannot be loaded: {error!r}; "
            "mend or uninstall its package"
        ) from error
    return venue


def find_venue(name: str) -> Venue:
    """Return the venue called `name`, in any case.

    Raises:
        ConfigError: it is not supported, and the message lists those that are; or the package that
            has it is broken.
    """
    wanted = name.strip().lower()
    if wanted not in venue_names():
        raise ConfigError(
            f"{name[:60]!r} is not a venue that can be listened to: "
            f"choose {', '.join(venue_names())}"
        )
    return _load(wanted)
