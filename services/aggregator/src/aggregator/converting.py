"""Several instruments' levels as those of one market: each term's converted, then merged. Pure.

A bid is worth what it fetches: it converts at the best bid of its conversion, an ask at the best
ask. What is not live to convert by leaves its levels out, and says so. Prices and amounts are
computed exactly in decimal, and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache, partial
from typing import Final, NamedTuple

from dragonfly_common.equivalence import Equivalence, Term
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState

from aggregator.encoding import ASKS, BIDS, converted_level_encoder
from aggregator.merging import Makers, Merger, Top, joined, makers_with
from aggregator.venue_books import Levels, VenueBook, converted_book

__all__ = ["Converter", "Heard", "Rate"]

Heard = Mapping[str, Sequence[VenueBook]]
"""By instrument, the venues' books of it."""

Rate = tuple[float, float]
"""The best (bid, ask) of a conversion's consolidated book."""

PAR: Final[Rate] = (1.0, 1.0)
OUT_OF_RANGE: Final = "a level is out of range once it is converted"

# Two doubles and the numbers of a term have fewer digits: no product is rounded.
_exact: Final = Context(prec=150)


class Converter:
    """All levels of the terms of an equivalence, in order; a `Merger` of several instruments."""

    def __init__(self, equivalence: Equivalence) -> None:
        self._terms = [_Term(term) for term in equivalence.terms]
        self._conversions = {name: Merger() for name in equivalence.conversions}
        self.rates: dict[str, Rate | None] = dict.fromkeys(equivalence.conversions)
        """By instrument; None where it is not live."""

    def take(self, heard: Heard) -> list[VenueBook]:
        """Take what venues have; return it converted, term by term."""
        for name, merger in self._conversions.items():
            merger.take(heard[name])
            self.rates[name] = _rate(merger.top(ViewKind.BBO, 1))
        return [
            feed
            for term in self._terms
            for feed in term.take(heard[term.instrument], self.rates[term.by] if term.by else PAR)
        ]

    def top(self, kind: ViewKind, depth: int) -> Top:
        """Return the levels of a view of `depth` levels a side (one, for a BBO)."""
        return joined([term.merger.top(kind, depth) for term in self._terms], kind, depth)


class _Made(NamedTuple):
    """A venue's book as it was converted at a rate."""

    feed: VenueBook
    rate: Rate | None
    made: VenueBook


class _Term:
    """One instrument's levels, converted."""

    def __init__(self, term: Term) -> None:
        self.instrument = term.instrument
        self.by = term.conversion
        self.merger = Merger(partial(_makers, term.instrument))
        self._price_by = term.scale
        self._amount_by = term.units or Decimal(1)
        self._made: dict[str, _Made] = {}

    def take(self, feeds: Sequence[VenueBook], rate: Rate | None) -> list[VenueBook]:
        """Return each feed converted: the same object where it and the rate are the same."""
        converted = [self._converted(feed, rate) for feed in feeds]
        self.merger.take(converted)
        return converted

    def _converted(self, feed: VenueBook, rate: Rate | None) -> VenueBook:
        before = self._made.get(feed.venue)
        if before and before.feed is feed and before.rate == rate:
            return before.made
        made = self._convert(feed, rate, before)
        self._made[feed.venue] = _Made(feed, rate, made)
        return made

    def _convert(self, feed: VenueBook, rate: Rate | None, before: _Made | None) -> VenueBook:
        if feed.state is not FeedState.LIVE:
            return converted_book(feed, self.instrument, ((), ()))
        if rate is None:
            reason = f"no live {self.by} to convert by"
            return converted_book(feed, self.instrument, ((), ()), (FeedState.SYNCING, reason))
        bids, asks = (self._side(at, feed, rate, before) for at in (0, 1))
        if bids is None or asks is None:
            out = (FeedState.STALE, OUT_OF_RANGE)
            return converted_book(feed, self.instrument, ((), ()), out)
        return converted_book(feed, self.instrument, (bids, asks))

    def _side(self, at: int, feed: VenueBook, rate: Rate, before: _Made | None) -> Levels | None:
        """Return the converted bids (0) or asks (1); None if a number is none any more."""
        if (
            before
            and before.made.state is FeedState.LIVE
            and before.rate
            and before.rate[at] == rate[at]
            and _side(before.feed, at) == _side(feed, at)
        ):
            return _side(before.made, at)
        price_by = _exact.multiply(self._price_by, _decimal(rate[at]))
        levels: list[tuple[float, ...]] = []
        for original, had in _side(feed, at):
            price, amount = _product(original, price_by), _product(had, self._amount_by)
            if not (0.0 < price < math.inf and 0.0 < amount < math.inf):
                return None
            levels.append((price, amount, original))
        return tuple(levels)


def _side(feed: VenueBook, at: int) -> Levels:
    return feed.asks if at else feed.bids


def _rate(top: Top) -> Rate | None:
    bids, asks = top
    return (-bids[0][0], asks[0][0]) if bids and asks else None


def _product(number: float, by: Decimal) -> float:
    return number if by == 1 else float(_exact.multiply(_decimal(number), by))


def _decimal(number: float) -> Decimal:
    # The shortest text of a double is the venue's decimal text, up to 15 significant digits.
    return Decimal(repr(number))


@lru_cache
def _makers(instrument: str, venue: str) -> Makers:
    bid, ask = (converted_level_encoder(side, venue, instrument) for side in (BIDS, ASKS))
    return makers_with(venue, bid, ask)
