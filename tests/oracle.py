"""The judge: every view a bot received must be the merge of what the venues' books truly were.

Pure: the simulator's truth log and the received views go in, the first violation comes out. It
shares no code with the aggregator on purpose: a judge that computes with the accused's own
functions would repeat his mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby, pairwise
from typing import NamedTuple

import msgspec
from dragonfly_client import Bbo, Book, Level, Liquidity, MergedLevel, Share, State, VenueFeed, View

__all__ = ["Fault", "Oracle", "Truth", "Violation", "expected_spread", "misordered"]


class _TruthLine(msgspec.Struct):
    """A line of the truth log: a state of a venue's book, or a fault that was injected."""

    venue: str
    instrument: str | None
    ts: int
    venue_seq: int = 0
    bids: msgspec.Raw = msgspec.Raw(b"[]")
    asks: msgspec.Raw = msgspec.Raw(b"[]")
    fault: str | None = None


class Fault(NamedTuple):
    """A fault that the simulator injected."""

    kind: str
    venue: str
    instrument: str | None
    ts: int


class Truth:
    """All states that the venues' books went through, and the faults on their way out."""

    def __init__(self, lines: Iterable[bytes | str]) -> None:
        self.faults: list[Fault] = []
        self._states: dict[tuple[str, str], dict[int, _TruthLine]] = {}
        for text in lines:
            line = msgspec.json.decode(text, type=_TruthLine)
            if line.fault is not None:
                self.faults.append(Fault(line.fault, line.venue, line.instrument, line.ts))
            elif line.instrument is not None:
                states = self._states.setdefault((line.venue, line.instrument), {})
                states[line.venue_seq] = line

    def count(self, venue: str, instrument: str) -> int:
        """Return how many states the book went through."""
        return len(self._states.get((venue, instrument), {}))

    def lasting(self, venue: str, instrument: str, depth: int, least_ns: int) -> list[int]:
        """Return the `venue_seq` of the states that changed the top and stood for `least_ns`."""
        states = list(self._states.get((venue, instrument), {}).values())
        tops = [(_levels(venue, s.bids, depth), _levels(venue, s.asks, depth)) for s in states]
        changed = [
            s for s, top, before in zip(states, tops, [None, *tops], strict=False) if top != before
        ]
        return [s.venue_seq for s, after in pairwise(changed) if after.ts - s.ts >= least_ns]

    def levels(
        self, venue: str, instrument: str, venue_seq: int, depth: int
    ) -> tuple[list[Level], list[Level]] | None:
        """Return (bids, asks) of one state, best first; None when the book never was in it."""
        line = self._states.get((venue, instrument), {}).get(venue_seq)
        if line is None:
            return None
        return _levels(venue, line.bids, depth), _levels(venue, line.asks, depth)


@dataclass(frozen=True)
class Violation:
    """A received view that breaks a rule, and all it takes to compute it again."""

    rule: str
    detail: str
    view: View
    position: int
    previous: View | None

    def __str__(self) -> str:
        return "\n".join(
            (
                f"{self.rule}: {self.detail}",
                f"view {self.position} of {self.view.instrument}: {self.view}",
                f"the one before: {self.previous}",
            )
        )


class _BrokenRuleError(Exception):
    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule, self.detail = rule, detail


@dataclass
class Oracle:
    """Judges views against a truth; `depth` is the system's levels a side."""

    truth: Truth
    depth: int = 10
    _judged: int = field(default=0, init=False)

    @property
    def judged(self) -> int:
        """How many views were judged and found right."""
        return self._judged

    def first_violation(self, views: Iterable[View]) -> Violation | None:
        """Judge what one bot received of one view of one instrument, in its order."""
        spoken: View | None = None
        by_epoch: dict[int, View] = {}
        heard: dict[str, int] = {}
        for position, view in enumerate(views):
            try:
                self._judge(view)
                # Several aggregators may speak in turn: each numbers its own views.
                _judge_order(spoken, by_epoch.get(view.epoch), view)
                _judge_venue_order(heard, view)
            except _BrokenRuleError as broken:
                return Violation(broken.rule, broken.detail, view, position, spoken)
            # Epoch 0 is the gateway's own word, that no aggregator speaks for the view.
            if view.epoch != 0:
                spoken = by_epoch[view.epoch] = view
            self._judged += 1
        return None

    def _judge(self, view: View) -> None:
        live = [feed for feed in view.venues if feed.state is State.LIVE]
        received_bids, received_asks = _sides(view)
        _judge_names(view, live, (*received_bids, *received_asks))
        bids, asks = self._merge(view.instrument, live)
        spread = expected_spread(bids, asks)
        for side, received, levels in (
            ("bids", received_bids, bids),
            ("asks", received_asks, asks),
        ):
            true = _shown(view, levels, self.depth)
            if list(received) != list(true):
                raise _BrokenRuleError("not the merge of the truth", f"{side} should be {true}")
        if view.spread != spread:
            raise _BrokenRuleError("wrong spread", f"{view.spread!r} should be {spread!r}")

    def _merge(self, instrument: str, live: Iterable[VenueFeed]) -> tuple[list[Level], list[Level]]:
        bids: list[Level] = []
        asks: list[Level] = []
        for feed in live:
            levels = self.truth.levels(feed.venue, instrument, feed.venue_seq, self.depth)
            if levels is None:
                raise _BrokenRuleError(
                    "state that never was", f"{feed.venue} names venue_seq {feed.venue_seq}"
                )
            if all(levels) and levels[0][0].price >= levels[1][0].price:
                raise _BrokenRuleError(
                    "venue crossed in itself", f"{feed.venue} at venue_seq {feed.venue_seq}"
                )
            bids += levels[0]
            asks += levels[1]
        bids.sort(key=lambda level: (-level.price, -level.amount, level.venue))
        asks.sort(key=lambda level: (level.price, -level.amount, level.venue))
        return bids, asks


def expected_spread(bids: Sequence[Level], asks: Sequence[Level]) -> float:
    """Return best ask minus best bid, computed in decimal and rounded once; 0 without a side."""
    if not (bids and asks):
        return 0.0
    return float(Decimal(repr(asks[0].price)) - Decimal(repr(bids[0].price)))


def misordered(bids: Sequence[Level], asks: Sequence[Level]) -> str | None:
    """Say which neighbours break the order of a consolidated book; None when none do."""
    for name, side, sign in (("bids", bids, -1.0), ("asks", asks, 1.0)):
        for better, worse in pairwise(side):
            if (sign * better.price, -better.amount) > (sign * worse.price, -worse.amount):
                return f"{name}: {better} stands before {worse}"
    return None


_AnyLevel = Level | MergedLevel


def _sides(view: View) -> tuple[Sequence[_AnyLevel], Sequence[_AnyLevel]]:
    if isinstance(view, Book | Liquidity):
        return view.bids, view.asks
    assert isinstance(view, Bbo)
    return [view.bid] if view.bid else [], [view.ask] if view.ask else []


def _shown(view: View, levels: Sequence[Level], depth: int) -> Sequence[_AnyLevel]:
    """Return what this kind of view shows of a merged side."""
    if isinstance(view, Liquidity):
        prices = groupby(levels, key=lambda level: level.price)
        return [_merged(price, list(equal)) for price, equal in prices][:depth]
    return list(levels[: 1 if isinstance(view, Bbo) else depth])


def _merged(price: float, levels: Sequence[Level]) -> MergedLevel:
    total = float(sum(Decimal(repr(level.amount)) for level in levels))
    return MergedLevel(price, total, tuple(Share(level.venue, level.amount) for level in levels))


def _venues_of(levels: Iterable[_AnyLevel]) -> set[str]:
    venues = set()
    for level in levels:
        venues |= {level.venue} if isinstance(level, Level) else {s.venue for s in level.shares}
    return venues


def _judge_names(view: View, live: Sequence[VenueFeed], levels: Iterable[_AnyLevel]) -> None:
    names = [feed.venue for feed in view.venues]
    if len(names) != len(set(names)):
        raise _BrokenRuleError("venue named twice", ", ".join(names))
    for feed in view.venues:
        if (feed.state is State.LIVE) == bool(feed.reason):
            raise _BrokenRuleError(
                "state without its reason", f"{feed.venue} is {feed.state.name}: {feed.reason!r}"
            )
    strangers = _venues_of(levels) - {feed.venue for feed in live}
    if strangers:
        raise _BrokenRuleError("level of a venue that is not live", ", ".join(sorted(strangers)))
    if view.live is not bool(live):
        raise _BrokenRuleError("wrong `live`", f"{view.live} with {len(live)} live venues")
    if view.live and view.epoch == 0:
        raise _BrokenRuleError("live without an aggregator", "epoch 0")


def _judge_order(spoken: View | None, previous: View | None, view: View) -> None:
    """Compare with what was said before, and with what the same aggregator said."""
    if spoken is not None and view.instrument != spoken.instrument:
        raise _BrokenRuleError("another instrument", f"{spoken.instrument} came before")
    if previous is None:
        return
    if view.seq < previous.seq:
        raise _BrokenRuleError("went back", f"seq {view.seq} after {previous.seq}")
    if view.seq == previous.seq and _content(view) != _content(previous):
        raise _BrokenRuleError("two views of one seq", f"(epoch, seq) {view.epoch, view.seq}")


def _judge_venue_order(heard: dict[str, int], view: View) -> None:
    """Compare with the last live state of each venue, and note the new ones in `heard`."""
    for feed in view.venues:
        if feed.state is State.LIVE:
            last = heard.get(feed.venue, 0)
            if feed.venue_seq < last:
                raise _BrokenRuleError(
                    "venue went back", f"{feed.venue}: {feed.venue_seq} after {last}"
                )
            heard[feed.venue] = feed.venue_seq


def _content(view: View) -> tuple[object, ...]:
    return (*_sides(view), view.spread, view.live, view.venues)


def _levels(venue: str, texts: msgspec.Raw, depth: int) -> list[Level]:
    pairs = msgspec.json.decode(texts, type=list[tuple[str, str]])
    return [Level(venue, float(price), float(amount)) for price, amount in pairs[:depth]]
