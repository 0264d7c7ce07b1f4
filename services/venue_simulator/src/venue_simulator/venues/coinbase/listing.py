"""How Coinbase spells, counts and rounds, and the levels of its books that nobody trades at."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, TypeAlias

from venue_simulator.book import BookState, Levels, Listing
from venue_simulator.catalogue import Asset
from venue_simulator.changes import changed_levels
from venue_simulator.decimals import list_unpadded

__all__ = ["changed_sides", "list_asset", "next_seq", "whole_sides"]

Sides: TypeAlias = tuple[Levels, Levels]
"""Bids and asks."""

SIZE_DECIMALS: Final = 8
FAR_LEVELS: Final = 1_000
"""A side, below half and above twice the price: books are whole, and most of one is far away. The
venue's have up to twenty times as many."""
FULL: Final = 100
"""Levels that a side has which goes on far away; a thinner one is a thin market's."""
NOTHING: Final[Sides] = ((), ())


def list_asset(asset: Asset) -> Listing:
    return list_unpadded(asset, asset.instrument, lots=SIZE_DECIMALS)


def next_seq(previous: int, now_ns: int) -> int:
    """Return the time of the next change in µs: Coinbase numbers no changes."""
    return max(previous + 1, now_ns // 1000)


def whole_sides(state: BookState) -> Sides:
    """Return the whole book: what moves, and what is far away."""
    below, above = _far_sides(state)
    return (*state.bids, *below), (*state.asks, *above)


def changed_sides(before: BookState, after: BookState, zero: str) -> Sides:
    """Return what changes of a whole book, as `changed_levels` does of a side."""
    # The same far away, as a rule: then only what moves is compared.
    moved = _far_sides(before) is not _far_sides(after)
    old, new = (
        whole_sides(state) if moved else (state.bids, state.asks) for state in (before, after)
    )
    return changed_levels(old[0], new[0], zero), changed_levels(old[1], new[1], zero)


def _far_sides(state: BookState) -> Sides:
    if min(len(state.bids), len(state.asks)) < FULL:
        return NOTHING
    price = state.bids[0][0]
    decimals = len(price.partition(".")[2])
    return _far_away(math.floor(math.log2(float(price))), decimals, FAR_LEVELS)


@lru_cache(maxsize=256)
def _far_away(exponent: int, decimals: int, count: int) -> Sides:
    """Return levels of a price from 2^exponent on, to its double."""
    ticks = 2.0**exponent * 10**decimals
    below, above = int(ticks / 2), int(ticks * 4)
    bids = range(below, max(0, below - count), -1)
    asks = range(above, above + count)
    return _levels(bids, decimals), _levels(asks, decimals)


def _levels(ticks: range, decimals: int) -> Levels:
    return tuple(
        (f"{tick / 10**decimals:.{decimals}f}", f"{1 + tick % 7}.00000000") for tick in ticks
    )
