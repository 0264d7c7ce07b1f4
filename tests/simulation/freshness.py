"""How old what a bot was shown is: the part of the judgement that needs virtual time.

`oracle` decides whether a view is the merge of states that were. Here each venue's levels in a live
view are looked for among the states that its book was in of late; if they are not there, the view
is as old as the moment when the book ceased to look like that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from dragonfly_client import Bbo, Book, Level, Liquidity, Share, State, View

__all__ = ["History"]

_Side = tuple[tuple[float, float], ...]


@dataclass
class _Course:
    """The states of one book, and since when each was."""

    since: list[float] = field(default_factory=list)
    sides: list[tuple[_Side, _Side]] = field(default_factory=list)


class History:
    """The states of all books by virtual time, and when a venue was at fault itself."""

    def __init__(self) -> None:
        self._courses: dict[tuple[str, str], _Course] = {}
        self._halts: list[tuple[str, str | None, float, float]] = []
        self._excused: dict[tuple[str, str | None], list[tuple[float, float]]] = {}

    def note(self, venue: str, instrument: str, at: float, bids: _Side, asks: _Side) -> None:
        course = self._courses.setdefault((venue, instrument), _Course())
        course.since.append(at)
        course.sides.append((bids, asks))

    def excuse(self, venue: str, since: float, until: float, instrument: str | None = None) -> None:
        """Ask nothing of what the venue did not send then, or not in order; of one instrument."""
        self._excused.setdefault((venue, instrument), []).append((since, until))

    def halt(self, venue: str, instrument: str | None, since: float, until: float) -> None:
        """Take note that the venue said that nobody can trade, an instrument or anything."""
        self._halts.append((venue, instrument, since, until))

    def halted_s(self, view: View, at: float) -> float:
        """Return for how long a venue that is live in a view had been halted by then."""
        live = {
            (feed.venue, feed.instrument or view.instrument)
            for feed in view.venues
            if feed.state is State.LIVE
        }
        return max(
            (
                at - since
                for venue, instrument, since, until in self._halts
                if since <= at < until
                and any(one == venue and instrument in {None, name} for one, name in live)
            ),
            default=0.0,
        )

    def age_s(self, view: View, at: float) -> float:
        """Return for how long the oldest venue of a live view had been different by then."""
        shown = _shown(view)
        ages = [
            self._age_s(feed.venue, feed.instrument or view.instrument, *levels, at)
            for feed in view.venues
            if feed.state is State.LIVE
            and (levels := shown.get((feed.venue, feed.instrument))) is not None
        ]
        return max(ages, default=0.0)

    def _age_s(self, venue: str, instrument: str, bids: _Side, asks: _Side, at: float) -> float:
        course = self._courses[venue, instrument]
        for index in range(bisect_right(course.since, at) - 1, -1, -1):
            known_bids, known_asks = course.sides[index]
            if known_bids[: len(bids)] == bids and known_asks[: len(asks)] == asks:
                ended = course.since[index + 1] if index + 1 < len(course.since) else at
                is_excused = any(
                    since <= at and ended <= until
                    for name in (None, instrument)
                    for since, until in self._excused.get((venue, name), ())
                )
                return 0.0 if is_excused else max(0.0, at - ended)
        return 0.0  # It never was: that is for the oracle to say.


_Shown = tuple[tuple[str, str], float, float]
"""((venue, its own instrument in an equivalence), price there, amount)."""


def _shown(view: View) -> dict[tuple[str, str], tuple[_Side, _Side]]:
    """Return what a view shows of each venue and instrument."""
    found: dict[tuple[str, str], tuple[list[tuple[float, float]], list[tuple[float, float]]]] = {}
    for side, levels in enumerate(_sides(view)):
        for whose, price, amount in levels:
            found.setdefault(whose, ([], []))[side].append((price, amount))
    # Where the best prices are ahead, the levels below them are of another state.
    ahead = {(feed.venue, feed.instrument) for feed in view.venues if feed.book_seq}
    count = {whose: 1 if whose in ahead else None for whose in found}
    return {
        whose: (tuple(bids[: count[whose]]), tuple(asks[: count[whose]]))
        for whose, (bids, asks) in found.items()
    }


def _sides(view: View) -> Iterable[list[_Shown]]:
    if isinstance(view, Book):
        for levels in (view.bids, view.asks):
            yield [_level(level, level.price) for level in levels]
    elif isinstance(view, Bbo):
        for level in (view.bid, view.ask):
            yield [_level(level, level.price)] if level else []
    elif isinstance(view, Liquidity):
        for merged in (view.bids, view.asks):
            yield [_level(share, level.price) for level in merged for share in level.shares]


def _level(one: Level | Share, price: float) -> _Shown:
    original = price if one.original_price is None else one.original_price
    return (one.venue, one.instrument), original, one.amount
