"""The venues that can be simulated: each package tells its own by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from venue_simulator.venue import FakeVenue

__all__ = ["ENTRY_POINT", "VENUES"]

ENTRY_POINT: Final = "dragonfly.simulated_venues"
"""Of a distribution: the venue's name, and its class of `FakeVenue`."""


def _load() -> dict[str, FakeVenue]:
    found = {point.name: point for point in entry_points(group=ENTRY_POINT)}
    return {name: found[name].load()() for name in sorted(found)}


VENUES: Final[Mapping[str, FakeVenue]] = MappingProxyType(_load())
