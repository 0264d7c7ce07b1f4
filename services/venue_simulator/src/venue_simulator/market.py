"""A seeded market: every venue follows one drifting price with noise of its own.

Pure. A book's n-th state depends on (seed, instrument, venue, n) alone: not on the clock, on other
venues, or on who is listening. Each venue walks its own copy of the instrument's fair price, drawn
from the same seed, so that they agree without sharing anything. The noise is about as wide as the
spread: venues touch and cross each other at times, never themselves.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from random import Random
from typing import Final

from venue_simulator.book import Levels, Listing, TextLevel
from venue_simulator.catalogue import Asset

__all__ = ["BookWalk"]

LEVELS: Final = 110
"""Kept a side: more than the 100 that any simulated channel shows, so that its tail moves too."""
MAX_LEVELS: Final = 140

PULL: Final = 1e-4
"""How much of its way back to the start the fair price goes in one step."""
NOISE: Final = 2e-5
NOISE_MEMORY: Final = 0.97
HALF_SPREAD: Final = 1e-4
SPACING: Final = 6e-5
"""Usual distance between neighbours in the book, as a fraction of the price."""

TOP_LEVELS: Final = 10
CHANGES_BELOW_TOP: Final = 0.15
"""Of all steps, those that leave the ten best levels alone unless the price moves."""
AMOUNT_CHANGES: Final = 0.7
"""Of all changes; the others add or remove levels."""


class BookWalk:
    """One venue's book of one instrument, a step at a time."""

    def __init__(self, asset: Asset, listing: Listing, venue: str, seed: int) -> None:
        self._fair = _fair_price(asset, seed)
        self._random = Random(f"{seed}/{asset.instrument}/{venue}")  # noqa: S311 - no secret
        self._noise = 0.0
        self._tick = 10.0**-listing.tick_decimals
        self._bids = _Side(-1, asset, listing, self._random)
        self._asks = _Side(1, asset, listing, self._random)

    def step(self) -> tuple[Levels, Levels]:
        """Move on; return (bids, asks), best first, at least 100 levels each."""
        random = self._random
        self._noise = self._noise * NOISE_MEMORY + random.gauss(0.0, NOISE)
        middle = self._fair() * (1.0 + self._noise) / self._tick
        best_bid = max(1, math.floor(middle * (1.0 - HALF_SPREAD)))
        best_ask = max(best_bid + 1, math.ceil(middle * (1.0 + HALF_SPREAD)))
        self._bids.follow(-best_bid)
        self._asks.follow(best_ask)
        first = TOP_LEVELS if random.random() < CHANGES_BELOW_TOP else 0
        for _ in range(random.randint(1, 3)):
            side = self._bids if random.random() < 0.5 else self._asks
            side.change(first + min(TOP_LEVELS - 1, int(random.expovariate(0.4))))
        return self._bids.levels(), self._asks.levels()


def _fair_price(asset: Asset, seed: int) -> Callable[[], float]:
    """Return the fair price's steps: the same as those of what the asset is the same of."""
    if asset.of is None:
        return _FairPrice(asset, seed).step
    of, over = _fair_price(asset.of, seed), asset.over and _fair_price(asset.over, seed)
    units = asset.price / (asset.of.price / (asset.over.price if asset.over else 1.0))
    return lambda: of() * units / (over() if over else 1.0)


class _FairPrice:
    """A random walk with a slight pull home: the same numbers for the same seed and instrument."""

    def __init__(self, asset: Asset, seed: int) -> None:
        self._random = Random(f"{seed}/{asset.instrument}")  # noqa: S311 - no secret
        self._home = asset.price
        self._drift = asset.drift
        self._distance = 0.0

    def step(self) -> float:
        self._distance += self._random.gauss(0.0, self._drift) - PULL * self._distance
        return self._home * math.exp(self._distance)


class _Side:
    """One side of a book. Keys rise from the best level on: ticks, for bids negative."""

    def __init__(self, sign: int, asset: Asset, listing: Listing, random: Random) -> None:
        self._sign = sign
        self._random = random
        self._spacing = max(1, round(asset.price * SPACING * 10**listing.tick_decimals))
        self._lots = max(1, round(asset.amount * 10**listing.lot_decimals))
        self._price_form = _Decimal(listing.tick_decimals, listing.price_decimals)
        self._amount_form = _Decimal(listing.lot_decimals, listing.amount_decimals)
        self._keys: list[int] = []
        self._levels: list[TextLevel] = []

    def levels(self) -> Levels:
        return tuple(self._levels)

    def follow(self, best: int) -> None:
        """Let no level be better than `best`, and one be near it; keep the book full."""
        passed = bisect_left(self._keys, best)
        del self._keys[:passed], self._levels[:passed]
        if not self._keys or self._keys[0] - best >= 2 * self._spacing:
            self._insert(0, best)
        while len(self._keys) < LEVELS and self._worst_price() > 0:
            self._insert(len(self._keys), self._keys[-1] + self._gap())
        del self._keys[MAX_LEVELS:], self._levels[MAX_LEVELS:]

    def change(self, index: int) -> None:
        """Change the amount at `index`, or where that gap is wide fill it, and thin it if not."""
        if self._random.random() < AMOUNT_CHANGES:
            self._levels[index] = (self._levels[index][0], self._amount())
        elif self._keys[index + 1] - self._keys[index] > 2 * self._spacing:
            key = self._random.randrange(self._keys[index] + 1, self._keys[index + 1])
            self._insert(index + 1, key)
        else:
            del self._keys[index], self._levels[index]

    def _insert(self, index: int, key: int) -> None:
        self._keys.insert(index, key)
        self._levels.insert(index, (self._price_form.text(abs(key)), self._amount()))

    def _gap(self) -> int:
        return 1 + int(self._random.expovariate(1.0 / self._spacing))

    def _worst_price(self) -> int:
        """Return the worst price in ticks; a bid cannot go below one."""
        return self._keys[-1] if self._sign > 0 else -self._keys[-1] - 1

    def _amount(self) -> str:
        lots = 1 + int(self._lots * self._random.lognormvariate(0.0, 1.0))
        return self._amount_form.text(lots)


class _Decimal:
    """Prints a count of steps of 10⁻ˢᵗᵉᵖˢ with `printed` decimals."""

    def __init__(self, steps: int, printed: int) -> None:
        self._scale = 10**steps
        self._padding = 10 ** (printed - steps)
        self._form = f"%d.%0{printed}d" if printed else "%d"
        self._printed = printed

    def text(self, count: int) -> str:
        if not self._printed:
            return self._form % count
        whole, rest = divmod(count, self._scale)
        return self._form % (whole, rest * self._padding)
