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

from dragonfly_common.assignment import Assignment
from dragonfly_common.listings import Listings
from dragonfly_common.messages import Body, Book, Gone, Instruments, Venue, View
from dragonfly_common.topics import (
    ViewKind,
    book_interest,
    instruments_topic,
    venue_topic,
    view_topic,
)
from dragonfly_common.types import FeedState
from msgspec.structs import replace

from aggregator.arbiter import ReplicaArbiter
from aggregator.encoding import encode_feed_age, encode_view
from aggregator.merging import Merger, Top, encode_levels, spread
from aggregator.venue_books import Status, VenueBook, absent_book, take_book

__all__ = ["Effects", "World"]

SYNCING_REASON: Final = "asked for"
COUNTED_WITHIN_S: Final = 1.0
"""A view that only counts further is told again so late, beside other aggregators."""
COMPLETE_WITHIN_S: Final = 0.5
"""Where others speak for an instrument too, it is told of when each venue has answered, or then."""


@dataclass
class Effects:
    """What the world wants done, in this order."""

    subscribe: list[str] = field(default_factory=list)
    unsubscribe: list[str] = field(default_factory=list)
    publish: list[tuple[str, Body]] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)


@dataclass
class _Told:
    """What gateways were last told of one view."""

    seq: int = 0
    top: Top | None = None
    states: Sequence[Status] = ()
    counts: Sequence[int] = ()
    """The `venue_seq` of each venue."""
    at: float = -math.inf


@dataclass
class _Market:
    """One instrument: what listeners say of it, and which views of it are wanted."""

    feeds: dict[str, ReplicaArbiter] = field(default_factory=dict)
    """By venue."""
    venues: Sequence[str] = ()
    """Those that say something of it or could, in order; empty until it is computed anew."""
    merger: Merger = field(default_factory=Merger)
    wanted: dict[ViewKind, _Told] = field(default_factory=dict)
    carried_since: float | None = None
    """None while another replica computes its views."""


class World:
    """All instruments of one aggregator."""

    def __init__(
        self,
        epoch: int,
        depth: int,
        linger_s: float,
        always: Iterable[str] = (),
        assignment: Assignment | None = None,
    ) -> None:
        """`always` are instruments that stay subscribed upstream whether or not anybody asks.

        `assignment` says which instruments are computed here; without one, all are.
        """
        self._epoch = epoch
        self._depth = depth
        self._linger_s = linger_s
        self._always = set(always)
        self._assignment = assignment or Assignment("aggregator")
        self._markets: dict[str, _Market] = {}
        self._venues: dict[str, dict[str, Venue]] = {}
        self._listings = Listings()
        self._lost: set[str] = set()
        self._ready: set[str] = set()
        self._lingering: dict[tuple[ViewKind, str], float] = {}
        """Views nobody wants any more → when they are dropped."""
        self._dropped_seq = 0
        """Of all views that were dropped the highest: one that comes back goes on from there."""
        self._dirty: dict[str, None] = {}
        self._timers: dict[str, float] = {}
        """Instruments to look at again whether or not anything is heard of them."""
        self._effects = Effects()
        self.live = False
        """Whether any venue is live."""
        for instrument in self._always:
            self._market(instrument)

    def want(self, kind: ViewKind, instrument: str) -> None:
        """Compute a view from now on."""
        market = self._market(instrument)
        self._lingering.pop((kind, instrument), None)
        if kind not in market.wanted:
            market.wanted[kind] = _Told(self._dropped_seq)
            self._dirty[instrument] = None

    def unwant(self, kind: ViewKind, instrument: str, now: float) -> None:
        """Stop computing a view once the linger is over, unless it is wanted again."""
        market = self._markets.get(instrument)
        if market and kind in market.wanted:
            self._lingering[kind, instrument] = now + self._linger_s

    def on_book(
        self, publisher: str, instrument: str, venue: str, book: Book, ts_pub: int, now: float
    ) -> str | None:
        """Take a listener's book; return a counter label if it contradicts itself."""
        market = self._markets.get(instrument)
        if market is None:
            return None
        arbiter = market.feeds.get(venue)
        if arbiter is None:
            arbiter = market.feeds[venue] = ReplicaArbiter()
            market.venues = ()
        feed = take_book(venue, book, ts_pub, self._depth, arbiter.chosen)
        self._note(instrument, arbiter, now, changed=arbiter.on_book(publisher, feed, now))
        return feed.fault

    def on_gone(self, publisher: str, instrument: str, venue: str, now: float) -> None:
        """Take a listener's word that other replicas of it carry an instrument by now."""
        market = self._markets.get(instrument)
        if market is not None and (arbiter := market.feeds.get(venue)):
            self._note(instrument, arbiter, now, changed=arbiter.on_released(publisher, now))

    def on_venue(self, publisher: str, status: Venue) -> None:
        """Take what a listener says of its venue, and relay it."""
        self._lost.discard(publisher)
        known = status.venue in self._venues
        by_listener = self._venues.setdefault(status.venue, {})
        by_listener[publisher] = status
        if len(by_listener) > 1:
            self._drop_lost(by_listener)
        self._relay(status.venue)
        if not known:
            for market in self._markets.values():
                market.venues = ()
            self._dirty.update(dict.fromkeys(self._markets))

    def on_instruments(self, listing: Instruments) -> None:
        """Relay what a venue lists."""
        self._listings.take(listing)
        self._effects.publish.append((instruments_topic(listing.venue), listing))

    def unlisted(self) -> list[str]:
        """Return a sentence for each configured instrument that no venue lists, once."""
        if not self._listings.names.keys() >= self._venues.keys():
            return []
        return [self._listings.refusal(name) for name in self._listings.unlisted(self._always)]

    def on_lost(self, publisher: str, why: str, now: float) -> None:
        """Void all that a listener said: its levels leave every book with the next `evaluate`."""
        reason = f"listener lost: {why}"
        for instrument, market in self._markets.items():
            for arbiter in market.feeds.values():
                changed = arbiter.on_lost(publisher, reason, now)
                self._note(instrument, arbiter, now, changed=changed)
        for venue, by_listener in self._venues.items():
            if publisher in by_listener:
                self._lost.add(publisher)
                by_listener[publisher] = Venue(venue, FeedState.DOWN, reason, publisher, 0, 0, 0)
                if len(by_listener) > 1:
                    self._drop_lost(by_listener)
                self._relay(venue)
                # Also where it had said nothing yet: what stands for it there is the venue's state.
                self._dirty.update(dict.fromkeys(self._markets))

    def due_in(self, now: float) -> float:
        """Return seconds until `evaluate` has something to do whatever is heard."""
        due = chain(self._lingering.values(), self._timers.values())
        return min(due, default=math.inf) - now

    def evaluate(self, now: float, now_ns: int) -> Effects:
        """Return all that follows from what was heard since the last call."""
        if self._lingering:
            self._drop_unwanted(now)
        self._move(now)
        if self._timers:
            self._look(now)
        for instrument in self._dirty:
            if instrument in self._markets:
                self._publish_changes(instrument, self._markets[instrument], now, now_ns)
        self._dirty.clear()
        effects, self._effects = self._effects, Effects()
        return effects

    def _market(self, instrument: str) -> _Market:
        market = self._markets.get(instrument)
        if market is None:
            market = self._markets[instrument] = _Market()
            self._assignment.want(instrument)
        return market

    def _move(self, now: float) -> None:
        """Begin to compute what has become ours, and end what other aggregators do by now."""
        moves = self._assignment.settle(now)
        for instrument in moves.take:
            self._markets[instrument].carried_since = now
            self._effects.subscribe.append(book_interest(instrument))
            self._dirty[instrument] = None
        for instrument in moves.release:
            market = self._markets[instrument]
            market.carried_since = None
            market.feeds.clear()
            market.venues = ()
            market.merger = Merger()
            self._note_ready(instrument, ready=False)
            self._effects.unsubscribe.append(book_interest(instrument))
            for kind, told in market.wanted.items():
                market.wanted[kind] = _Told(told.seq)
                self._effects.publish.append((view_topic(kind, instrument), Gone()))

    def _note(self, instrument: str, arbiter: ReplicaArbiter, now: float, *, changed: bool) -> None:
        if changed:
            self._dirty[instrument] = None
        if arbiter.look_at is not None:
            self._look_at(instrument, arbiter.look_at)

    def _look_at(self, instrument: str, at: float) -> None:
        self._timers[instrument] = min(at, self._timers.get(instrument, at))

    def _look(self, now: float) -> None:
        for instrument in [name for name, at in self._timers.items() if at <= now]:
            del self._timers[instrument]
            self._dirty[instrument] = None
            market = self._markets.get(instrument)
            for arbiter in market.feeds.values() if market else ():
                self._note(instrument, arbiter, now, changed=arbiter.look(now))

    def _publish_changes(self, instrument: str, market: _Market, now: float, now_ns: int) -> None:
        if not market.wanted or self._is_awaited(instrument, market, now):
            return
        if not market.venues:
            market.venues = sorted({*market.feeds, *self._venues})
        feeds = [
            ((arbiter := market.feeds.get(venue)) and arbiter.chosen) or self._absent(venue)
            for venue in market.venues
        ]
        states = [feed.status for feed in feeds]
        counts = [feed.venue_seq for feed in feeds]
        live = FeedState.LIVE in [feed.state for feed in feeds]
        self._note_ready(instrument, ready=live)
        market.merger.take(feeds)
        encoded_feeds: bytes | None = None
        for kind, told in market.wanted.items():
            top = market.merger.top(kind, self._depth)
            if top == told.top and states == told.states:
                # Where another aggregator may take over, both must have come as far by the count.
                if counts == told.counts or self._assignment.alone:
                    continue
                if now < told.at + COUNTED_WITHIN_S:
                    self._look_at(instrument, told.at + COUNTED_WITHIN_S)
                    continue
            told.top, told.states, told.seq = top, states, told.seq + 1
            told.counts, told.at = counts, now
            if encoded_feeds is None:
                encoded_feeds = _encode_feeds(feeds, now_ns)
            body = encode_view(
                instrument,
                spread(top),
                encode_levels(kind, top),
                encoded_feeds,
                live=live,
                epoch=self._epoch,
                seq=told.seq,
                ts_agg=now_ns,
            )
            view = View(live, self._depth, body, now_ns)
            self._effects.publish.append((view_topic(kind, instrument), view))

    def _is_awaited(self, instrument: str, market: _Market, now: float) -> bool:
        """Say whether others tell of an instrument, or did until now and not all is here yet."""
        if market.carried_since is None:
            return True
        if self._assignment.alone:
            return False
        complete_at = market.carried_since + COMPLETE_WITHIN_S
        answered = all(
            venue in market.feeds or self._venue_state(venue).state is FeedState.DOWN
            for venue in self._venues
        )
        if answered or now >= complete_at:
            return False
        self._look_at(instrument, complete_at)
        return True

    def _note_ready(self, instrument: str, *, ready: bool) -> None:
        if ready is not (instrument in self._ready):
            self._ready ^= {instrument}
            self._assignment.note_ready(self._ready)

    def _absent(self, venue: str) -> VenueBook:
        # A replica may let an instrument go before its word on the venue itself is here.
        status = self._venue_state(venue) if venue in self._venues else None
        if status and status.state is FeedState.DOWN:
            return absent_book(venue, FeedState.DOWN, status.reason)
        return absent_book(venue, FeedState.SYNCING, SYNCING_REASON)

    def _drop_lost(self, by_listener: dict[str, Venue]) -> None:
        # What a lost listener left behind is kept only while nobody else speaks for the venue.
        for publisher in self._lost & by_listener.keys():
            del by_listener[publisher]
            self._lost.discard(publisher)

    def _venue_state(self, venue: str) -> Venue:
        """Return what all replicas of a venue's listener say of it, as one."""
        said = self._venues[venue].values()
        if len(said) == 1:
            return next(iter(said))
        best = max(said, key=lambda status: status.state is FeedState.LIVE)
        return replace(
            best,
            listener=", ".join(sorted(status.listener for status in said)),
            connections=sum(status.connections for status in said),
            instruments=sum(status.instruments for status in said),
            instruments_live=sum(status.instruments_live for status in said),
        )

    def _relay(self, venue: str) -> None:
        self._effects.publish.append((venue_topic(venue), self._venue_state(venue)))
        self.live = any(self._venue_state(one).state is FeedState.LIVE for one in self._venues)

    def _drop_unwanted(self, now: float) -> None:
        for kind, instrument in [view for view, at in self._lingering.items() if at <= now]:
            del self._lingering[kind, instrument]
            market = self._markets[instrument]
            self._dropped_seq = max(self._dropped_seq, market.wanted.pop(kind).seq)
            self._effects.forget.append(view_topic(kind, instrument))
            if not market.wanted and instrument not in self._always:
                del self._markets[instrument]
                self._note_ready(instrument, ready=False)
                self._assignment.unwant(instrument)
                if market.carried_since is not None:
                    self._effects.unsubscribe.append(book_interest(instrument))


def _encode_feeds(feeds: Iterable[VenueBook], now_ns: int) -> bytes:
    parts: list[bytes] = []
    for feed in feeds:
        parts.append(feed.encoded)
        parts.append(encode_feed_age(max(0, now_ns - feed.ts_recv) if feed.ts_recv else 0))
    return b"".join(parts)
