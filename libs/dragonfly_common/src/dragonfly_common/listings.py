"""The instruments that venues list, as far as they have said. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dragonfly_common.messages import Instruments
from dragonfly_common.spelling import did_you_mean

__all__ = ["Listings"]


class Listings:
    """The lists of all venues that told theirs."""

    def __init__(self) -> None:
        self.names: dict[str, frozenset[str]] = {}
        """By venue."""
        self._told: set[str] = set()

    def take(self, listing: Instruments) -> None:
        """Take what a venue lists, in place of what it did."""
        self.names[listing.venue] = frozenset(listing.names)

    def lists(self, instrument: str) -> bool:
        """Return whether any venue lists `instrument`."""
        return any(instrument in names for names in self.names.values())

    def refusal(self, instrument: str, otherwise: str = "") -> str:
        """Return the sentence for a name that no venue lists, with the one that was meant."""
        return f"no venue lists {instrument}{did_you_mean(instrument, self.lists, otherwise)}"

    def unlisted(self, instruments: Iterable[str]) -> Iterator[str]:
        """Yield each of `instruments` that no venue lists, once until one does."""
        for instrument in instruments:
            if self.lists(instrument):
                self._told.discard(instrument)
            elif instrument not in self._told:
                self._told.add(instrument)
                yield instrument
