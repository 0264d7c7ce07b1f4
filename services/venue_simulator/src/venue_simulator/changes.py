"""The changes between two states of one side of a book."""

from __future__ import annotations

from venue_simulator.book import Levels

__all__ = ["changed_levels"]


def changed_levels(before: Levels, after: Levels, zero: str) -> Levels:
    """Return the levels of `after` that are new or changed, then those gone, with amount `zero`."""
    old, new = dict(before), dict(after)
    changed = [level for level in after if old.get(level[0]) != level[1]]
    gone = [(price, zero) for price in old if price not in new]
    return (*changed, *gone)
