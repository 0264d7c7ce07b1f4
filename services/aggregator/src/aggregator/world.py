"""The one world view: what every listener said, what gateways want, what must be told. Pure.

Facts come in (`hear`, `lose`, `want`), and `settle` returns what follows from them: views that
changed, status to relay, interest to pass on. The time is a parameter throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dragonfly_common.messages import Body, Book, Instruments, Venue, View
from dragonfly_common.topics import (
    ViewKind,
    book_interest,
    instruments_topic,
    venue_topic,
    view_topic,
)
from dragonfly_common.types import FeedState

from aggregator.encoding import encode_feed_age, encode_view
from aggregator.feeds import Feed, absent_feed, lost_feed, take_book
from aggregator.merging import Merged, merge

__all__ = ["Effects", "World"]

SYNCING_REASON: Final = "asked for"


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
    merged: Merged | None = None
    states: tuple[tuple[str, FeedState, str], ...] = ()


@dataclass
class _Market:
    """One instrument: what listeners say of it, and which views of it are wanted."""

    feeds: dict[str, dict[str, Feed]] = field(default_factory=dict)
    """venue → publisher → feed."""
    wanted: dict[ViewKind, _Told] = field(default_factory=dict)
    lingering: dict[ViewKind, float] = field(default_factory=dict)
    """Kinds nobody wants any more → when they are dropped."""

    def feed_of(self, venue: str) -> Feed | None:
        """Return the feed that speaks for `venue`: a live one, and of those the newest."""
        return max(
            self.feeds.get(venue, {}).values(),
            key=lambda feed: (feed.state is FeedState.LIVE, feed.venue_seq),
            default=None,
        )


class World:
    """All instruments of one aggregator."""

    def __init__(self, epoch: int, depth: int, linger_s: float, always: Iterable[str] = ()) -> None:
        """`always` are instruments that stay subscribed upstream whether or not anybody asks."""
        self._epoch = epoch
        self._depth = depth
        self._linger_s = linger_s
        self._always = set(always)
        self._markets: dict[str, _Market] = {}
        self._venues: dict[str, dict[str, Venue]] = {}
        self._lost: set[str] = set()
        self._seqs: dict[tuple[ViewKind, str], int] = {}
        self._dirty: dict[str, None] = {}
        self._effects = Effects()
        for instrument in self._always:
            self._market(instrument)

    @property
    def live(self) -> bool:
        """Whether any venue is live."""
        return any(self._venue_state(venue).state is FeedState.LIVE for venue in self._venues)

    def want(self, kind: ViewKind, instrument: str) -> None:
        """Compute a view from now on."""
        market = self._market(instrument)
        market.lingering.pop(kind, None)
        if kind not in market.wanted:
            market.wanted[kind] = _Told(self._seqs.get((kind, instrument), 0))
            self._dirty[instrument] = None

    def unwant(self, kind: ViewKind, instrument: str, now: float) -> None:
        """Stop computing a view once the linger is over, unless it is wanted again."""
        market = self._markets.get(instrument)
        if market and kind in market.wanted:
            market.lingering[kind] = now + self._linger_s

    def hear_book(
        self, publisher: str, instrument: str, venue: str, book: Book, ts_pub: int
    ) -> str | None:
        """Take a listener's book; return a counter label if it contradicts itself."""
        self._lost.discard(publisher)
        market = self._markets.get(instrument)
        if market is None:
            return None
        feed = take_book(venue, book, ts_pub, self._depth)
        by_publisher = market.feeds.setdefault(venue, {})
        by_publisher[publisher] = feed
        if len(by_publisher) > 1:
            self._drop_lost(by_publisher)
        self._dirty[instrument] = None
        return feed.fault

    def hear_venue(self, publisher: str, status: Venue) -> None:
        """Take what a listener says of its venue, and relay it."""
        self._lost.discard(publisher)
        known = status.venue in self._venues
        by_listener = self._venues.setdefault(status.venue, {})
        by_listener[publisher] = status
        if len(by_listener) > 1:
            self._drop_lost(by_listener)
        self._relay(status.venue)
        if not known:
            self._dirty.update(dict.fromkeys(self._markets))

    def hear_instruments(self, listing: Instruments) -> None:
        """Relay what a venue lists."""
        self._effects.publish.append((instruments_topic(listing.venue), listing))

    def lose(self, publisher: str, why: str) -> None:
        """Void all that a listener said: its levels leave every book with the next `settle`."""
        self._lost.add(publisher)
        reason = f"listener lost: {why}"
        for instrument, market in self._markets.items():
            for by_publisher in market.feeds.values():
                if publisher in by_publisher:
                    by_publisher[publisher] = lost_feed(by_publisher[publisher], reason)
                    self._dirty[instrument] = None
        for venue, by_listener in self._venues.items():
            if publisher in by_listener:
                by_listener[publisher] = Venue(venue, FeedState.DOWN, reason, publisher, 0, 0, 0)
                self._relay(venue)
                # Also where it had said nothing yet: what stands for it there is the venue's state.
                self._dirty.update(dict.fromkeys(self._markets))

    def due_in(self, now: float) -> float:
        """Return seconds until `settle` has something to drop."""
        return min(
            (at - now for market in self._markets.values() for at in market.lingering.values()),
            default=math.inf,
        )

    def settle(self, now: float, now_ns: int) -> Effects:
        """Return all that follows from what was heard since the last call."""
        self._drop_unwanted(now)
        for instrument in self._dirty:
            if instrument in self._markets:
                self._publish_changes(instrument, self._markets[instrument], now_ns)
        self._dirty.clear()
        effects, self._effects = self._effects, Effects()
        return effects

    def _market(self, instrument: str) -> _Market:
        market = self._markets.get(instrument)
        if market is None:
            market = self._markets[instrument] = _Market()
            self._effects.subscribe.append(book_interest(instrument))
        return market

    def _publish_changes(self, instrument: str, market: _Market, now_ns: int) -> None:
        if not market.wanted:
            return
        feeds = [self._feed(market, venue) for venue in sorted({*market.feeds, *self._venues})]
        states = tuple((feed.venue, feed.state, feed.reason) for feed in feeds)
        live = any(feed.state is FeedState.LIVE for feed in feeds)
        encoded_feeds: bytes | None = None
        for kind, told in market.wanted.items():
            merged = merge(kind, feeds, self._depth)
            if merged == told.merged and states == told.states:
                continue
            told.merged, told.states, told.seq = merged, states, told.seq + 1
            if encoded_feeds is None:
                encoded_feeds = _encode_feeds(feeds, now_ns)
            body = encode_view(
                instrument,
                merged.spread,
                merged.levels,
                encoded_feeds,
                live=live,
                epoch=self._epoch,
                seq=told.seq,
                ts_agg=now_ns,
            )
            view = View(live, self._depth, body)
            self._effects.publish.append((view_topic(kind, instrument), view))

    def _feed(self, market: _Market, venue: str) -> Feed:
        feed = market.feed_of(venue)
        if feed is not None:
            return feed
        status = self._venue_state(venue)
        if status.state is FeedState.DOWN:
            return absent_feed(venue, FeedState.DOWN, status.reason)
        return absent_feed(venue, FeedState.SYNCING, SYNCING_REASON)

    def _drop_lost(self, by_publisher: dict[str, Feed] | dict[str, Venue]) -> None:
        # What a lost publisher left behind is kept only while nobody else speaks for the venue.
        for publisher in self._lost & by_publisher.keys():
            del by_publisher[publisher]

    def _venue_state(self, venue: str) -> Venue:
        return max(self._venues[venue].values(), key=lambda status: status.state is FeedState.LIVE)

    def _relay(self, venue: str) -> None:
        self._effects.publish.append((venue_topic(venue), self._venue_state(venue)))

    def _drop_unwanted(self, now: float) -> None:
        for instrument, market in list(self._markets.items()):
            for kind in [kind for kind, at in market.lingering.items() if at <= now]:
                del market.lingering[kind]
                self._seqs[kind, instrument] = market.wanted.pop(kind).seq
                self._effects.forget.append(view_topic(kind, instrument))
            if not market.wanted and instrument not in self._always:
                del self._markets[instrument]
                self._effects.unsubscribe.append(book_interest(instrument))


def _encode_feeds(feeds: Iterable[Feed], now_ns: int) -> bytes:
    parts: list[bytes] = []
    for feed in feeds:
        age_ns = max(0, now_ns - feed.ts_recv) if feed.ts_recv else 0
        parts += (feed.encoded, encode_feed_age(age_ns))
    return b"".join(parts)
