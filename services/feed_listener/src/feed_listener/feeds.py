"""Every followed instrument as it is published: its state, and the source of its book.

A feed belongs to one source, a connection, at a time. The book stays there: a source only reports
that it changed, and the feed reads it (`Source.tops`) whenever it is published. While a successor
of that connection warms up both send books; the feed passes over with the successor's first book
that is not older than the published one, and never back while the successor lives. Each passing is
a new `feed_epoch`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Protocol

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.messages import Body, Book, FeedStanding, Gone
from dragonfly_common.printable import LONGEST_SENTENCE, printable
from dragonfly_common.topics import book_topic
from dragonfly_common.types import FeedState, Side
from dragonfly_venues.events import TRADING, BookTop, Trading

from feed_listener import counters
from feed_listener.audit.comparing import Result
from feed_listener.audit.score import Score
from feed_listener.feed_state import FeedEvent, next_state
from feed_listener.rhythm import Rhythm

__all__ = ["Feed", "Feeds", "Outlet", "Source"]

LIVE = FeedState.LIVE

logger = structlog.get_logger()


class Outlet(Protocol):
    """The bus's publisher."""

    def publish(self, topic: str, body: Body) -> None: ...

    def forget(self, topic: str) -> None: ...


class Source(Protocol):
    """A connection that sends books."""

    @property
    def rank(self) -> int:
        """Higher for the newer of two connections."""
        ...

    @property
    def trusted(self) -> bool:
        """Its last books still stand: it is neither silent, given up nor frozen."""
        ...

    @property
    def tops(self) -> Mapping[str, tuple[BookTop, int]]:
        """The top of each book as it stands, by symbol, with the time it was received."""
        ...

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` is REST's, and no frame has confirmed it yet."""
        ...

    async def audit(self, symbol: str, fetch: Callable[[], Awaitable[BookTop]]) -> Result:
        """Hold the book of `symbol` against the whole book that `fetch` returns."""
        ...

    async def question(self, feed: Feed, fetch: Callable[[], Awaitable[BookTop]]) -> None:
        """Hold the book of a feed that is silent against whole books that `fetch` returns."""
        ...


class Feed:
    """One instrument."""

    __slots__ = (
        "audit_agreed",
        "audited_ns",
        "book_seq",
        "epoch",
        "instrument",
        "notice",
        "published_score",
        "reason",
        "rhythm",
        "score",
        "since_ns",
        "source",
        "state",
        "symbol",
        "topic",
        "trading",
        "ts_event",
        "ts_recv",
        "venue_seq",
    )

    def __init__(self, instrument: str, topic: str, now: float, now_ns: int) -> None:
        self.instrument = instrument
        self.topic = topic
        self.rhythm = Rhythm(now)
        self.symbol: str | None = None
        self.state = FeedState.SYNCING
        self.since_ns = now_ns
        """When it entered its state."""
        self.reason = ""
        self.trading = TRADING
        self.notice = ""
        """Its reason while it is LIVE: a restriction by the venue."""
        self.source: Source | None = None
        self.epoch = 0
        self.venue_seq = 0
        self.book_seq: int | None = None
        self.ts_event: int | None = None
        self.ts_recv = 0
        self.score = Score()
        self.audited_ns: int | None = None
        """When its last audit was, None where nothing was compared yet."""
        self.audit_agreed = False
        self.published_score: float | None = None
        """As it was published last."""


class Feeds:
    """The feeds of one venue."""

    def __init__(self, venue: str, depth: int, outlet: Outlet, clock: Clock) -> None:
        """`depth` is how many levels a side a book has that says nothing else of itself."""
        self.venue = venue
        self._published = counters.PUBLISHED.labels(venue)
        self._depth = depth
        self._outlet = outlet
        self._clock = clock
        self._feeds: dict[str, Feed] = {}
        self._by_symbol: dict[str, Feed] = {}
        self._last_epoch = 0
        self._scored: set[str] = set()
        self._announced: dict[Source, Trading] = {}
        """The last word of the whole venue on each connection, the newest last."""
        self.on_change: Callable[[], None] = lambda: None
        """Called after any change of any feed's state."""

    def __contains__(self, instrument: object) -> bool:
        return instrument in self._feeds

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._feeds.values())

    def __len__(self) -> int:
        return len(self._feeds)

    @property
    def instruments(self) -> Iterable[str]:
        return self._feeds.keys()

    def of(self, symbol: str) -> Feed | None:
        """Return the feed of a symbol, if it is followed."""
        return self._by_symbol.get(symbol)

    def symbol_of(self, instrument: str) -> str | None:
        """Return what the venue calls a followed instrument, None while that is not known."""
        return self._feeds[instrument].symbol

    def follow(self, instrument: str, reason: str) -> None:
        """Begin to publish `instrument`, SYNCING for `reason`."""
        now, now_ns = self._clock.monotonic(), self._clock.now_ns()
        feed = Feed(instrument, self._topic(instrument), now, now_ns)
        self._feeds[instrument] = feed
        counters.AGE.labels(self.venue, instrument).set_function(partial(self._age_s, feed))
        self._enter(feed, FeedState.SYNCING, reason)

    def release(self, instrument: str) -> None:
        """Cease to publish `instrument`, which another replica carries by now, and say so."""
        self._end(instrument)
        self._outlet.publish(self._topic(instrument), Gone())

    def drop(self, instrument: str) -> None:
        """Cease to publish `instrument`, if it was: what was said of it is void."""
        self._end(instrument)
        self._outlet.forget(self._topic(instrument))

    def bind(self, instrument: str, symbol: str | None) -> None:
        """Set the symbol under which the venue sends `instrument`, None where it lists none."""
        feed = self._feeds[instrument]
        if feed.symbol is not None:
            self._by_symbol.pop(feed.symbol, None)
            feed.source = None
            feed.trading = TRADING
        feed.symbol = symbol
        if symbol is not None:
            self._by_symbol[symbol] = feed

    @property
    def trading(self) -> Trading:
        """The venue's newest word on itself, on a connection that is still open."""
        return next(reversed(self._announced.values()), TRADING)

    def set_trading(self, instrument: str, trading: Trading) -> bool:
        """Take the venue's word on one market; a halted one is out until it is traded again.

        Return whether it is so now.
        """
        feed = self._feeds[instrument]
        resumed = feed.trading.halted and not trading.halted
        feed.trading = trading
        self._apply_trading(feed)
        return resumed

    def announce(self, source: Source, trading: Trading) -> None:
        """Take the venue's word on itself, which dies with the connection that brought it."""
        self._announced.pop(source, None)
        self._announced[source] = trading
        self._apply_venue_trading()

    def silent(self, now: float) -> Sequence[Feed]:
        """Return the feeds that are LIVE and silent beyond their patience, the farthest first."""
        late = [
            (late_by, feed)
            for feed in self._by_symbol.values()
            if feed.state is LIVE and (late_by := feed.rhythm.late_by(now)) >= 1.0
        ]
        return [feed for _, feed in sorted(late, key=itemgetter(0), reverse=True)]

    def changed(self, source: Source, symbol: str, frame_at: float | None = None) -> None:
        """Publish the top that `source` has of `symbol`, if it speaks for its feed.

        `frame_at` is when the frame of the book came that says so; None where that was none.
        """
        feed = self._by_symbol.get(symbol)
        if feed is None:
            return
        top, ts_recv = source.tops[symbol]
        if feed.source is source or self._pass_to(source, feed, top):
            self._publish_top(feed, top, ts_recv)
            if frame_at is not None:
                feed.rhythm.heard(frame_at)

    def same(self, source: Source, symbol: str, frame_at: float | None = None) -> None:
        """Take note of a book that changes nothing: it is news where the feed was not LIVE."""
        feed = self._by_symbol.get(symbol)
        if feed is not None and feed.source is source and feed.state is LIVE:
            if frame_at is not None:
                feed.rhythm.heard(frame_at)
        else:
            self.changed(source, symbol, frame_at)

    def trust(self, source: Source) -> None:
        """Make the feeds of `source` LIVE with its books, which are of now again."""
        for symbol in source.tops:
            self.same(source, symbol)

    def report(self, source: Source, symbols: Iterable[str], event: FeedEvent, reason: str) -> None:
        """Apply what happened at `source` to those of `symbols` that no other speaks for."""
        for symbol in symbols:
            feed = self._by_symbol.get(symbol)
            if feed is not None and (feed.source is source or feed.source is None):
                self._apply(feed, event, reason)

    def on_lost(self, source: Source, reason: str, successor: Source | None) -> None:
        """Take `source` out; books that its `successor` has stand, the others wait for it."""
        lost = [(name, feed) for name, feed in self._by_symbol.items() if feed.source is source]
        for _, feed in lost:
            feed.source = None
        if self._announced.pop(source, None) is not None:
            self._apply_venue_trading()
        for symbol, feed in lost:
            if successor is None:
                self._apply(feed, FeedEvent.LOST, reason)
            elif successor.trusted and symbol in successor.tops:
                self.same(successor, symbol)
            else:
                awaited = "its first book on the new connection is awaited"
                self._apply(feed, FeedEvent.VOID, awaited)

    def without_source(self, symbols: Iterable[str], reason: str) -> None:
        """Say of those of `symbols` that nobody speaks for that there is no connection."""
        for symbol in symbols:
            feed = self._by_symbol.get(symbol)
            if feed is not None and feed.source is None:
                self._apply(feed, FeedEvent.LOST, reason)

    def set(self, instrument: str, event: FeedEvent, reason: str) -> None:
        """Apply an event of an instrument that no connection carries."""
        self._apply(self._feeds[instrument], event, reason)

    def audited(self, source: Source, symbol: str, now: float, *, agreed: bool) -> None:
        """Count a comparison of the book of `source`, if it speaks for its feed."""
        feed = self._by_symbol.get(symbol)
        if feed is not None and feed.source is source:
            feed.score.note(now, agreed=agreed)
            feed.audited_ns, feed.audit_agreed = self._clock.now_ns(), agreed

    def publish_scores(self, now: float) -> None:
        """Publish again each resting feed whose score changed since it was published last."""
        scores: dict[str, float] = {}
        for feed in self._feeds.values():
            feed.score.move(now)
            recent = feed.score.recent
            if recent is not None:
                scores[feed.instrument] = recent
            if recent == feed.published_score:
                continue
            if feed.state is not LIVE:
                self._publish(feed, (), ())
            else:
                self._publish_again(feed)
        for instrument, share in scores.items():
            counters.SCORE.labels(self.venue, instrument).set(share)
        for instrument in self._scored - scores.keys():
            counters.SCORE.remove(self.venue, instrument)
        self._scored = set(scores)

    def standings(self) -> tuple[FeedStanding, ...]:
        """Return since when each feed is in its state, and how its last audit ended."""
        return tuple(
            FeedStanding(
                feed.instrument, feed.state, feed.since_ns, feed.audited_ns, feed.audit_agreed
            )
            for feed in self._feeds.values()
        )

    def _apply_venue_trading(self) -> None:
        for feed in self._by_symbol.values():
            self._apply_trading(feed)
        self.on_change()

    def _apply_trading(self, feed: Feed) -> None:
        """Make a feed halted or traded, by the venue's word on itself and on this market."""
        own, venue = feed.trading, self.trading
        by_venue = venue.halted or (bool(venue.word) and not own.halted)
        trading, what = (venue, "trading") if by_venue else (own, feed.instrument)
        said = trading.said(self.venue, what)
        if trading.halted:
            self._apply(feed, FeedEvent.HALT, said)
            return
        feed.notice = said
        if feed.state is LIVE and feed.reason != feed.notice:
            self._note(feed, LIVE, feed.notice)
            self._publish_again(feed)
        elif feed.state is FeedState.HALTED:
            traded = f"{self.venue} trades {feed.instrument} again; its book is awaited"
            self._apply(feed, FeedEvent.RESUMED, traded)
            source, symbol = feed.source, feed.symbol or ""
            if source is not None and source.trusted and symbol in source.tops:
                self.same(source, symbol)

    def _end(self, instrument: str) -> None:
        feed = self._feeds.pop(instrument, None)
        if feed is not None:
            counters.AGE.remove(self.venue, instrument)
            if feed.symbol is not None:
                self._by_symbol.pop(feed.symbol, None)
        self.on_change()

    def _age_s(self, feed: Feed) -> float:
        return (self._clock.now_ns() - feed.ts_recv) / 1e9 if feed.ts_recv else math.nan

    def _topic(self, instrument: str) -> str:
        return book_topic(instrument, self.venue)

    def _pass_to(self, source: Source, feed: Feed, top: BookTop) -> bool:
        if feed.source is not None and (
            source.rank < feed.source.rank
            or top.venue_seq < feed.venue_seq
            or _below(top) < _below(feed)
        ):
            return False
        feed.source = source
        self._last_epoch = feed.epoch = max(self._last_epoch + 1, self._clock.now_ns())
        return True

    def _publish_top(self, feed: Feed, top: BookTop, ts_recv: int) -> None:
        feed.venue_seq = top.venue_seq
        feed.book_seq = top.book_seq
        feed.ts_event = top.ts_event
        feed.ts_recv = ts_recv
        if feed.state is not LIVE:
            state = next_state(feed.state, FeedEvent.BOOK)
            if state is None:
                return
            self._note(feed, state, feed.notice)
            # An outage is no gap of the stream's.
            feed.rhythm.heard_at = self._clock.monotonic()
        depth = self._depth if top.depth is None else top.depth
        self._publish(feed, top.bids, top.asks, depth)
        self._published.count += 1

    def _publish_again(self, feed: Feed) -> None:
        if feed.source is not None and (known := feed.source.tops.get(feed.symbol or "")):
            self._publish_top(feed, *known)

    def _apply(self, feed: Feed, event: FeedEvent, reason: str) -> None:
        state = next_state(feed.state, event)
        reason = printable(reason, LONGEST_SENTENCE)
        if state is not None and (state, reason) != (feed.state, feed.reason):
            self._enter(feed, state, reason)

    def _enter(self, feed: Feed, state: FeedState, reason: str) -> None:
        self._note(feed, state, reason)
        self._publish(feed, (), ())

    def _publish(self, feed: Feed, bids: Side, asks: Side, depth: int | None = None) -> None:
        feed.published_score = feed.score.recent
        self._outlet.publish(
            feed.topic,
            Book(
                feed.state,
                feed.reason,
                feed.epoch,
                feed.venue_seq,
                feed.ts_event,
                feed.ts_recv,
                bids,
                asks,
                feed.published_score,
                feed.score.total,
                depth,
                feed.book_seq,
            ),
        )

    def _note(self, feed: Feed, state: FeedState, reason: str) -> None:
        if state is not feed.state:
            logger.info(
                "feed " + state.name.lower(), instrument=feed.instrument, reason=reason or None
            )
            feed.since_ns = self._clock.now_ns()
        feed.state = state
        feed.reason = reason
        self.on_change()


def _below(one: BookTop | Feed) -> int:
    """Return how far the levels below the best prices are."""
    return one.venue_seq if one.book_seq is None else one.book_seq
