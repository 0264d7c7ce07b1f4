"""The venues that are known: every package tells its own by entry points.

`dragonfly.venues` names a class of `Venue`, and `dragonfly.orders` what opens an account there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final, cast

from dragonfly_common.errors import ConfigError

from dragonfly_venues.orders import OrderEntryFactory
from dragonfly_venues.venue import Venue

__all__ = [
    "ENTRY_POINT",
    "ORDERS_ENTRY_POINT",
    "WEBSOCKET",
    "find_order_entry",
    "find_venue",
    "order_venue_names",
    "venue_names",
]

ENTRY_POINT: Final = "dragonfly.venues"
"""Of a distribution: the venue's name, and its class of `Venue`."""

ORDERS_ENTRY_POINT: Final = "dragonfly.orders"
"""The venue's name, and its `OrderEntryFactory`."""


WEBSOCKET: Final = "websocket"
"""The protocol that every venue has; the others are its `Venue.protocols`."""


@cache
def venue_names() -> tuple[str, ...]:
    """Return the names of all venues that installed packages offer, in order."""
    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINT)}))


@cache
def order_venue_names() -> tuple[str, ...]:
    """Return the names of all venues at which installed packages can place orders, in order."""
    return tuple(sorted({point.name for point in entry_points(group=ORDERS_ENTRY_POINT)}))


@cache
def _load(name: str) -> Venue:
    return cast("Venue", _resolve(ENTRY_POINT, name, lambda venue: venue()))


def _resolve(group: str, name: str, use: Callable[[Any], object]) -> object:
    (point, *_) = entry_points(group=group, name=name)
    try:
        return use(point.load())
    except Exception as error:
        raise ConfigError(
            f"the venue {name!r} ({point.value}) cannot be loaded: {error!r}; "
            "mend or uninstall its package"
        ) from error


def find_venue(name: str, protocol: str = WEBSOCKET) -> Venue:
    """Return the venue called `name`, in any case, as it is listened to by `protocol`.

    Raises:
        ConfigError: it is not supported, or not by that protocol, and the message lists those that
            are; or the package that has it is broken.
    """
    wanted = name.strip().lower()
    if wanted not in venue_names():
        raise ConfigError(
            f"{name[:60]!r} is not a venue that can be listened to: "
            f"choose {', '.join(venue_names())}"
        )
    venue = _load(wanted)
    if protocol == WEBSOCKET:
        return venue
    if protocol not in venue.protocols:
        able = [other for other in venue_names() if protocol in _load(other).protocols]
        raise ConfigError(
            f"{wanted} cannot be listened to by {protocol}, which is for {', '.join(able)}:"
            " leave out --protocol"
        )
    return venue.protocols[protocol]()


def find_order_entry(name: str) -> OrderEntryFactory:
    """Return what opens an account at the venue called `name`, in any case.

    Raises:
        ConfigError: no orders can be placed there, and the message lists where they can; or the
            package that has it is broken.
    """
    wanted = name.strip().lower()
    if wanted not in order_venue_names():
        offered = ", ".join(order_venue_names()) or "none so far"
        raise ConfigError(
            f"{name[:60]!r} is not a venue at which orders can be placed: choose of {offered}"
        )
    return cast("OrderEntryFactory", _resolve(ORDERS_ENTRY_POINT, wanted, lambda factory: factory))
