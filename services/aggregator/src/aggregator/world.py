"""The one world view: what every listener said, what gateways want, what must be told. Pure.

Facts come in (`on_*`, `want`), and `evaluate` returns what follows from them: views that
changed, status to relay, interest to pass on. Of the instruments that are wanted it computes those
that its assignment holds. The time is a parameter throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from dragonfly_common.assignment import Assignment, Moves
from dragonfly_common.equivalence import Equivalence, Equivalences
from dragonfly_common.listings import Listings
from dragonfly_common.messages import Body, Book, EncodedView, Gone, Instruments, VenueStatus
from dragonfly_common.topics import (
    ViewKind,
    book_interest,
    instruments_topic,
    venue_topic,
    view_topic,
)
from dragonfly_common.types import FeedState

from aggregator.arbiter import ReplicaArbiter
from aggregator.converting import Converter, Rate
from aggregator.encoding import encode_conversion, encode_feed_age, encode_view
from aggregator.merging import Merger, Top, encode_levels, spread
from aggregator.reported_venues import ReportedVenues
from aggregator.venue_books import Status, VenueBook, absent_book, take_book

__all__ = ["Effects", "World"]

SYNCING_REASON: Final = "asked for"
COUNTED_WITHIN_S: Final = 1.0
"""A view that only counts further is told again so late, beside other aggregators."""
COMPLETE_WITHIN_S: Final = 0.5
"""Where others speak for an instrument too, it is told of when each venue has answered, or then."""


_Conversion = tuple[str, Rate | None, Sequence[VenueBook]]
"""(instrument, what it converts by, the feeds that this is from)."""


@dataclass
class Effects:
    """The effects of a change: what the world wants done, in this order."""

    subscribe: list[str] = field(default_factory=list)
    unsubscribe: list[str] = field(default_factory=list)
    publish: list[tuple[str, Body]] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    crossed: dict[str, float] = field(default_factory=dict)
    """How many seconds more each instrument was crossed; of equivalences nothing is counted."""


@dataclass
class _Told:
    """The state of one view as gateways were last told it."""

    seq: int = 0
    top: Top | None = None
    states: Sequence[Status | Rate | None] = ()
    feeds: Sequence[VenueBook] = ()
    conversions: Sequence[_Conversion] = ()
    at: float = -math.inf


@dataclass
class _Source:
    """One instrument: what listeners say of it."""

    feeds: dict[str, ReplicaArbiter] = field(default_factory=dict)
    """By venue."""
    venues: Sequence[str] = ()
    """Those that say something of it or could, in order; empty until it is computed anew."""
    markets: dict[str, None] = field(default_factory=dict)
    """The markets that are made of it."""
    subscribed: bool = False
    """While one of them is computed here."""


@dataclass
class _Market:
    """One instrument, or several that somebody takes for one: which views of it are wanted."""

    made_of: Equivalence
    merger: Merger | Converter
    wanted: dict[ViewKind, _Told] = field(default_factory=dict)
    carried_since: float | None = None
    """None while another replica computes its views."""
    crossed_since: float | None = None
    """Until when it is counted; None while no venue bids more than another asks."""


class World:
    """All instruments of one aggregator."""

    def __init__(
        self,
        epoch: int,
        depth: int,
        linger_s: float,
        always: Iterable[str] = (),
        assignment: Assignment | None = None,
        equivalences: Equivalences | None = None,
    ) -> None:
        """`always` are markets that stay subscribed upstream whether or not anybody asks.

        `assignment` says which markets are computed here; without one, all are. `equivalences` are
        those that the configuration has a name for.
        """
        self._epoch = epoch
        self._depth = depth
        self._linger_s = linger_s
        self._always = set(always)
        self._assignment = assignment or Assignment("aggregator")
        self._equivalences = equivalences or Equivalences()
        self._sources: dict[str, _Source] = {}
        self._unused: set[str] = set()
        """Instruments of which a market was computed, and perhaps none is any more."""
        self._markets: dict[str, _Market] = {}
        self._statuses = ReportedVenues()
        self._listings = Listings()
        self._ready: set[str] = set()
        self._lingering: dict[tuple[ViewKind, str], float] = {}
        """Views nobody wants any more → when they are dropped."""
        self._dropped_seq = 0
        """Of all views that were dropped the highest: one that comes back goes on from there."""
        self._dirty: dict[str, None] = {}
        self._timers: dict[str, float] = {}
        """Instruments and markets to look at again whatever is heard of them."""
        self._effects = Effects()
        self.live = False
        """A venue is live."""
        for name in self._always:
            self._market(name)

    def want(self, kind: ViewKind, name: str) -> None:
        """Compute a view of an instrument or equivalence from now on."""
        market = self._market(name)
        self._lingering.pop((kind, name), None)
        if kind not in market.wanted:
            market.wanted[kind] = _Told(self._dropped_seq)
            self._dirty[name] = None

    def unwant(self, kind: ViewKind, name: str, now: float) -> None:
        """Stop computing a view once the linger is over, unless it is wanted again."""
        market = self._markets.get(name)
        if market and kind in market.wanted:
            self._lingering[kind, name] = now + self._linger_s

    def on_book(
        self, publisher: str, instrument: str, venue: str, book: Book, ts_pub: int, now: float
    ) -> str | None:
        """Take a listener's book; return a counter label if it contradicts itself."""
        source = self._sources.get(instrument)
        if source is None:
            return None
        arbiter = source.feeds.get(venue)
        if arbiter is None:
            arbiter = source.feeds[venue] = ReplicaArbiter()
            source.venues = ()
        feed = take_book(venue, book, ts_pub, self._depth)
        self._note(instrument, arbiter, now, changed=arbiter.on_book(publisher, feed, now))
        return feed.fault

    def on_gone(self, publisher: str, instrument: str, venue: str, now: float) -> None:
        """Take a listener's word that other replicas of it carry an instrument by now."""
        source = self._sources.get(instrument)
        if source is not None and (arbiter := source.feeds.get(venue)):
            self._note(instrument, arbiter, now, changed=arbiter.on_released(publisher, now))

    def on_venue(self, publisher: str, status: VenueStatus) -> None:
        """Take what a listener says of its venue, and relay it."""
        known = status.venue in self._statuses.venues
        self._statuses.on_venue(publisher, status)
        self._relay(status.venue)
        if not known:
            for source in self._sources.values():
                source.venues = ()
            self._dirty.update(dict.fromkeys(self._markets))

    def on_instruments(self, listing: Instruments) -> None:
        """Relay what a venue lists."""
        self._listings.take(listing)
        self._effects.publish.append((instruments_topic(listing.venue), listing))

    def unlisted(self) -> list[str]:
        """Return a sentence for each configured instrument that no venue lists, once."""
        if not self._listings.names.keys() >= self._statuses.venues:
            return []
        names = self._equivalences.instruments(self._always)
        return [self._listings.refusal(name) for name in self._listings.unlisted(names)]

    def on_lost(self, publisher: str, why: str, now: float, now_ns: int) -> None:
        """Void all that a listener said: its levels leave every book with the next `evaluate`.

        `now_ns` is since when its venue is DOWN.
        """
        reason = f"listener lost: {why}"
        for instrument, source in self._sources.items():
            for arbiter in source.feeds.values():
                changed = arbiter.on_lost(publisher, reason, now)
                self._note(instrument, arbiter, now, changed=changed)
        for venue in self._statuses.on_lost(publisher, reason, now_ns):
            self._relay(venue)
            # Also where it had said nothing yet: what stands for it there is the venue's state.
            self._dirty.update(dict.fromkeys(self._markets))

    def due_in(self, now: float) -> float:
        """Return seconds until `evaluate` has something to do whatever is heard."""
        if not (self._lingering or self._timers):
            return math.inf
        return min(chain(self._lingering.values(), self._timers.values())) - now

    def evaluate(self, now: float, now_ns: int) -> Effects:
        """Return all that follows from what was heard since the last call."""
        if self._lingering:
            self._drop_unwanted(now)
        moves = self._assignment.evaluate(now)
        if moves.take or moves.release:
            self._move(moves, now)
        if self._timers:
            self._look(now)
        for name in self._dirty:
            if name in self._markets:
                self._publish_changes(name, self._markets[name], now, now_ns)
        self._dirty.clear()
        if self._unused:
            self._leave_unused()
        effects, self._effects = self._effects, Effects()
        return effects

    def _market(self, name: str) -> _Market:
        market = self._markets.get(name)
        if market is None:
            made_of = self._equivalences.of(name)
            market = self._markets[name] = _Market(made_of, _merger(made_of))
            for instrument in made_of.instruments:
                self._sources.setdefault(instrument, _Source()).markets[name] = None
            self._assignment.want(name)
        return market

    def _move(self, moves: Moves, now: float) -> None:
        """Begin to compute what has become ours, and end what other aggregators do by now."""
        for name in moves.take:
            market = self._markets[name]
            market.carried_since = now
            if not isinstance(market.merger, Converter):
                self._effects.crossed[name] = 0.0  # there is something to read from now on
            for instrument in market.made_of.instruments:
                source = self._sources[instrument]
                if not source.subscribed:
                    source.subscribed = True
                    self._effects.subscribe.append(book_interest(instrument))
            self._dirty[name] = None
        for name in moves.release:
            market = self._markets[name]
            market.carried_since = None
            self._note_crossed(name, market, now, crossed=False)
            market.merger = _merger(market.made_of)
            self._unused.update(market.made_of.instruments)
            self._note_ready(name, ready=False)
            for kind, told in market.wanted.items():
                market.wanted[kind] = _Told(told.seq)
                self._effects.publish.append((view_topic(kind, name), Gone()))

    def _leave_unused(self) -> None:
        """Leave the instruments of which no market is computed here any more."""
        for instrument in sorted(self._unused):
            source = self._sources[instrument]
            if all(self._markets[name].carried_since is None for name in source.markets):
                source.feeds.clear()
                source.venues = ()
                if source.subscribed:
                    source.subscribed = False
                    self._effects.unsubscribe.append(book_interest(instrument))
            if not source.markets:
                del self._sources[instrument]
        self._unused.clear()

    def _note(self, instrument: str, arbiter: ReplicaArbiter, now: float, *, changed: bool) -> None:
        if changed:
            self._dirty.update(self._sources[instrument].markets)
        if arbiter.look_at is not None:
            self._look_at(instrument, arbiter.look_at)

    def _look_at(self, name: str, at: float) -> None:
        self._timers[name] = min(at, self._timers.get(name, at))

    def _look(self, now: float) -> None:
        for name in [name for name, at in self._timers.items() if at <= now]:
            del self._timers[name]
            self._dirty[name] = None
            source = self._sources.get(name)
            for arbiter in source.feeds.values() if source else ():
                self._note(name, arbiter, now, changed=arbiter.look(now))

    def _publish_changes(self, name: str, market: _Market, now: float, now_ns: int) -> None:
        if not market.wanted or self._is_awaited(name, market, now):
            return
        conversions: Sequence[_Conversion] = ()
        if isinstance(market.merger, Converter):
            heard = {one: self._heard(one) for one in market.made_of.instruments}
            feeds = market.merger.take(heard)
            conversions = [(one, rate, heard[one]) for one, rate in market.merger.rates.items()]
        else:
            feeds = self._heard(market.made_of.terms[0].instrument)
            market.merger.take(feeds)
        live = FeedState.LIVE in [feed.state for feed in feeds]
        if live is not (name in self._ready):
            self._note_ready(name, ready=live)
        gap: float | None = None
        encoded_feeds: bytes | None = None
        encoded_conversions = b""
        states = _states(feeds, conversions)
        for kind, told in market.wanted.items():
            top = market.merger.top(kind, self._depth)
            if top == told.top and states == told.states:
                # Where another aggregator may take over, both must have come as far by the count.
                if self._assignment.alone or _counts(feeds, conversions) == _counts(
                    told.feeds, told.conversions
                ):
                    continue
                if now < told.at + COUNTED_WITHIN_S:
                    self._look_at(name, told.at + COUNTED_WITHIN_S)
                    continue
            told.seq += 1
            told.top, told.states, told.at = top, states, now
            told.feeds, told.conversions = feeds, conversions
            if encoded_feeds is None:
                encoded_feeds = _encode_feeds(feeds, now_ns)
                encoded_conversions = b"".join(
                    encode_conversion(one, rate, _encode_feeds(by, now_ns))
                    for one, rate, by in conversions
                )
            gap = spread(top)
            body = encode_view(
                name,
                gap,
                encode_levels(kind, top),
                encoded_feeds,
                live=live,
                epoch=self._epoch,
                seq=told.seq,
                ts_agg=now_ns,
                conversions=encoded_conversions,
            )
            view = EncodedView(live, self._depth, body, now_ns)
            self._effects.publish.append((view_topic(kind, name), view))
        if gap is not None and (gap < 0 or market.crossed_since is not None):
            self._note_crossed(name, market, now, crossed=gap < 0)

    def _note_crossed(self, name: str, market: _Market, now: float, *, crossed: bool) -> None:
        if market.crossed_since is not None and not isinstance(market.merger, Converter):
            so_far = self._effects.crossed.get(name, 0.0)
            self._effects.crossed[name] = so_far + now - market.crossed_since
        market.crossed_since = now if crossed else None

    def _heard(self, instrument: str) -> list[VenueBook]:
        """Return what each venue has of an instrument, in order."""
        source = self._sources[instrument]
        if not source.venues:
            source.venues = sorted(source.feeds.keys() | self._statuses.venues)
        return [
            ((arbiter := source.feeds.get(venue)) and arbiter.chosen) or self._absent(venue)
            for venue in source.venues
        ]

    def _is_awaited(self, name: str, market: _Market, now: float) -> bool:
        """Say whether others tell of a market, or did until now and not all is here yet."""
        if market.carried_since is None:
            return True
        if self._assignment.alone:
            return False
        complete_at = market.carried_since + COMPLETE_WITHIN_S
        answered = all(
            self._statuses.of(venue).state is FeedState.DOWN
            or all(venue in self._sources[one].feeds for one in market.made_of.instruments)
            for venue in self._statuses.venues
        )
        if answered or now >= complete_at:
            return False
        self._look_at(name, complete_at)
        return True

    def _note_ready(self, name: str, *, ready: bool) -> None:
        if ready is not (name in self._ready):
            self._ready ^= {name}
            self._assignment.note_ready(self._ready)

    def _absent(self, venue: str) -> VenueBook:
        # A replica may let an instrument go before its word on the venue itself is here.
        status = self._statuses.of(venue) if venue in self._statuses.venues else None
        if status and status.state is FeedState.DOWN:
            return absent_book(venue, FeedState.DOWN, status.reason)
        return absent_book(venue, FeedState.SYNCING, SYNCING_REASON)

    def _relay(self, venue: str) -> None:
        self._effects.publish.append((venue_topic(venue), self._statuses.of(venue)))
        self.live = self._statuses.is_live()

    def _drop_unwanted(self, now: float) -> None:
        for kind, name in [view for view, at in self._lingering.items() if at <= now]:
            del self._lingering[kind, name]
            market = self._markets[name]
            self._dropped_seq = max(self._dropped_seq, market.wanted.pop(kind).seq)
            self._effects.forget.append(view_topic(kind, name))
            if not market.wanted:
                self._note_crossed(name, market, now, crossed=False)
                if name in self._always:
                    continue
                del self._markets[name]
                for instrument in market.made_of.instruments:
                    del self._sources[instrument].markets[name]
                    self._unused.add(instrument)
                self._note_ready(name, ready=False)
                self._assignment.unwant(name)


def _merger(made_of: Equivalence) -> Merger | Converter:
    return Merger() if len(made_of.terms) == 1 else Converter(made_of)


def _encode_feeds(feeds: Iterable[VenueBook], now_ns: int) -> bytes:
    parts: list[bytes] = []
    for feed in feeds:
        age_ns = now_ns - feed.ts_recv if feed.ts_recv else 0
        parts += (feed.encoded, encode_feed_age(max(0, age_ns)))
    return b"".join(parts)


def _states(
    feeds: Iterable[VenueBook], conversions: Iterable[_Conversion]
) -> Sequence[Status | Rate | None]:
    """Return the status of each venue, and what was converted by."""
    states: list[Status | Rate | None] = [feed.status for feed in feeds]
    for _, rate, by in conversions:
        states += (rate, *(feed.status for feed in by))
    return states


def _counts(feeds: Iterable[VenueBook], conversions: Iterable[_Conversion]) -> Sequence[int]:
    """Return the `venue_seq` of each venue."""
    return [feed.venue_seq for feed in chain(feeds, *(by for _, _, by in conversions))]
