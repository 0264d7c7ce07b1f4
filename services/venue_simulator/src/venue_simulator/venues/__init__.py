"""The venues that can be simulated: each package tells its own by an entry point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Final

from dragonfly_common.errors import ConfigError

from venue_simulator.venue import FakeVenue

__all__ = ["ENTRY_POINT", "VENUES"]

ENTRY_POINT: Final = "dragonfly.simulated_venues"
"""Of a distribution: the venue's name, and its class of `FakeVenue`."""


class _Fakes(Mapping[str, FakeVenue]):
    """Every fake by its venue's name, loaded when it is first asked for."""

    def __init__(self) -> None:
        found = {point.name: point for point in entry_points(group=ENTRY_POINT)}
        self._points = {name: found[name] for name in sorted(found)}
        self._loaded: dict[str, FakeVenue] = {}

    def __getitem__(self, name: str) -> FakeVenue:
        """Return the fake of a venue.

        Raises:
            KeyError: no installed package has one.
            ConfigError: the package that has it is broken.
        """
        if name not in self._loaded:
            point = self._points[name]
            try:
                self._loaded[name] = point.load()()
            except Exception as error:
                raise ConfigError(
                    f"the simulated venue {name!r} ({point.value}) cannot be loaded: {error!r}; "
                    "mend or uninstall its package, or name other venues with --venue"
                ) from error
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


VENUES: Final[Mapping[str, FakeVenue]] = _Fakes()
