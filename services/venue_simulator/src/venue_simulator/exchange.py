"""One venue at work: its books, who follows them, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from dragonfly_common.clock import Clock

from venue_simulator import counters
from venue_simulator.book import BookState, Levels, Listing, cross
from venue_simulator.broadcast import Broadcast, Follower, Member
from venue_simulator.faults import ActiveFaults, FaultKind
from venue_simulator.private_side import PrivateSide, TradingSetup
from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.trading.orders import OrderEvent
from venue_simulator.truth import Truth
from venue_simulator.venue import (
    BookStream,
    FakeVenue,
    FirstFrame,
    KeepaliveRules,
    Subscribe,
    trading_rules,
)

__all__ = ["Exchange", "TradedBook"]

CLOCK_SKEW_NS: Final = 10_000_000_000


@dataclass(eq=False)
class TradedBook:
    """One instrument at one venue; without a state until somebody wants it."""

    listing: Listing
    state: BookState | None = None
    market: tuple[Levels, Levels] = ((), ())
    """Bids and asks as the market brought them, where orders do not change them the state's own."""
    feeds: dict[BookStream, Broadcast] = field(default_factory=dict)


class Exchange:
    """Knows its books by the venue's own names; implements `Books` for the venue's protocol."""

    def __init__(
        self,
        venue: FakeVenue,
        clock: Clock,
        truth: Truth,
        faster: float = 1.0,
        *,
        paced: bool = False,
        trading: TradingSetup | None = None,
    ) -> None:
        """Open a venue that lists nothing yet, and whose own clock runs so many times faster.

        Where it is `paced`, a stream sends at its own intervals (`BookStream.interval_s`).
        """
        self.venue = venue
        self.faster = faster
        self._paced = paced
        self.clock = clock
        self.faults = ActiveFaults()
        self.members: set[Member] = set()
        self.audible = asyncio.Event()
        """Cleared while the venue is silent."""
        self.audible.set()
        self.want: Callable[[str], None] = lambda _: None
        """Told the instrument that somebody wants; whoever moves the market sets it."""
        self.open_new: Callable[[str], None] = lambda _: None
        """Lists an instrument that nobody traded so far; whoever moves the market sets it."""
        self.states_made = 0
        self.frames_sent = 0
        """Of books; replies and heartbeats are not counted."""
        self._truth = truth
        self._books: dict[str, TradedBook] = {}
        self._states_counter = counters.STATES.labels(venue.name)
        self._frames_counter = counters.FRAMES_SENT.labels(venue.name)
        self.private = (
            None
            if (rules := trading_rules(venue)) is None
            else PrivateSide(self, rules, trading or TradingSetup())
        )

    def add(self, listing: Listing) -> TradedBook:
        book = self._books[listing.symbol] = TradedBook(listing)
        return book

    def book(self, instrument: str) -> TradedBook:
        """Return the book of an instrument that is listed."""
        return next(book for book in self._books.values() if book.listing.instrument == instrument)

    @property
    def liveness(self) -> KeepaliveRules:
        """The venue's pings and limits by its own clock, which may run faster than ours."""
        return self.venue.liveness.faster(self.faster)

    @property
    def desk(self) -> MatchingDesk:
        if self.private is None:
            raise LookupError(f"the private side of {self.venue.name} is not simulated")
        return self.private.desk

    def now_ns(self) -> int:
        """Return the time by the venue's clock, ns since the epoch."""
        skewed = self.faults.lasts(FaultKind.CLOCK_SKEW)
        return self.clock.now_ns() + (CLOCK_SKEW_NS if skewed else 0)

    @property
    def halted(self) -> bool:
        return self.faults.lasts(FaultKind.HALT)

    @property
    def post_only(self) -> bool:
        return self.faults.lasts(FaultKind.POST_ONLY)

    def listings(self) -> list[Listing]:
        return [self._shown(book) for book in self._books.values() if self._known(book)]

    def listing(self, symbol: str) -> Listing | None:
        book = self._books.get(symbol)
        return self._shown(book) if book is not None and self._known(book) else None

    def announce_trading(self, instrument: str | None) -> None:
        """Tell all clients whether an instrument, or everything, can be traded now."""
        symbols = [
            book.listing.symbol
            for book in self._books.values()
            if book.listing.instrument == instrument
        ]
        for member in self.members:
            for symbol in symbols if instrument is not None else [None]:
                member.announce_trading(symbol)

    def state(self, symbol: str) -> BookState | None:
        book = self._books.get(symbol)
        if book is None or not self._known(book) or not book.listing.tradable:
            return None
        if book.state is None:
            self.want(book.listing.instrument)
        return book.state

    def subscriptions(self) -> dict[str, int]:
        """Return the number of streams that are followed, by instrument."""
        return {
            book.listing.instrument: len(book.feeds) for book in self._books.values() if book.feeds
        }

    def subscribe(self, member: Follower, request: Subscribe) -> None:
        """Broadcast a stream to `member`; to one of an unknown symbol, nothing ever comes."""
        stream = request.stream
        state = self.state(stream.symbol)
        if state is None:
            return
        book = self._books[stream.symbol]
        feed = book.feeds.get(stream)
        if feed is None:
            feed = book.feeds[stream] = Broadcast(self.venue, stream, state)
        if request.first_frame is FirstFrame.AT_ONCE:
            feed.wait(member, request.address)
            self._publish(book)
        else:
            feed.follow(member, request.address)
        self.want(book.listing.instrument)

    def unsubscribe(self, member: Follower, stream: BookStream) -> None:
        book = self._books.get(stream.symbol)
        feed = None if book is None else book.feeds.get(stream)
        if book is None or feed is None:
            return
        feed.leave(member)
        if feed.deserted:
            del book.feeds[stream]

    def advance(
        self, book: TradedBook, bids: Levels, asks: Levels, venue_seq: int | None = None
    ) -> None:
        """Make these levels the truth, write that down, then send it; not while it is halted."""
        if book.state is not None and self._is_halted(book):
            return
        book.market = (bids, asks)
        desk = None if self.private is None else self.private.desk
        if desk is not None and desk.has_changed(book.listing.symbol):
            desk.meet_market(book.listing.symbol, self.now_ns())
            bids, asks = desk.shown(book.listing.symbol) or book.market
        self._become(book, bids, asks, venue_seq)

    def market_levels(self, symbol: str) -> tuple[Levels, Levels] | None:
        """Return (bids, asks) as the market brought them last, None where nothing is traded."""
        return None if self.state(symbol) is None else self._books[symbol].market

    def show(self, symbol: str) -> None:
        """Publish a book that orders have changed."""
        levels = self.desk.shown(symbol)
        if levels is not None:
            self._become(self._books[symbol], *levels)

    def note_order(self, event: OrderEvent, account: TradingAccount) -> None:
        """Write down what befell an order, and what the account then has."""
        instrument = self._books[event.order.ticket.symbol].listing.instrument
        self._truth.note_order(self.venue.name, instrument, event, account)

    def _become(
        self, book: TradedBook, bids: Levels, asks: Levels, venue_seq: int | None = None
    ) -> None:
        now_ns = self.clock.now_ns()
        previous = 0 if book.state is None else book.state.venue_seq
        if venue_seq is None or venue_seq <= previous:
            venue_seq = self.venue.next_seq(previous, now_ns)
        state = BookState(venue_seq, now_ns, bids, asks)
        instrument = book.listing.instrument
        if self.faults.befalls(FaultKind.CROSSED, instrument):
            state = cross(state)
        book.state = state
        self.states_made += 1
        self._states_counter.inc()
        self._truth.note_state(self.venue.name, instrument, state)
        if book.feeds:
            self._publish(book)

    def catch_up(self) -> None:
        """Publish what books became while they were mute."""
        for book in self._books.values():
            self._publish(book)

    def _publish(self, book: TradedBook) -> None:
        mute = self._is_mute(book)
        due = []
        for feed in book.feeds.values():
            if not mute and not self._puts_off(book, feed):
                due.append(feed)
            elif book.state is not None:
                feed.hold(book.state)
        self._send(book, due)

    def _puts_off(self, book: TradedBook, feed: Broadcast) -> bool:
        interval_s = feed.stream.interval_s / self.faster
        if not (self._paced and interval_s) or feed.is_awaited:
            return False
        if not feed.is_put_off:
            feed.is_put_off = True
            loop = asyncio.get_running_loop()
            tick = loop.time() // interval_s + 1.0
            loop.call_at(tick * interval_s, self._tick, book, feed)
        return True

    def _tick(self, book: TradedBook, feed: Broadcast) -> None:
        feed.is_put_off = False
        if book.feeds.get(feed.stream) is feed:
            self._send(book, [feed])

    def _send(self, book: TradedBook, feeds: Iterable[Broadcast]) -> None:
        if book.state is None or self._is_mute(book):
            return
        instrument = book.listing.instrument
        kinds = self.faults.on_frame(instrument)
        befell = False
        for feed in feeds:
            before = feed.frames_sent
            befell |= feed.publish(book.state, kinds) and not feed.stream.best_only
            self._count_frames(feed.frames_sent - before)
        if befell and kinds:
            self.faults.spend(kinds, instrument)

    def _count_frames(self, count: int) -> None:
        self.frames_sent += count
        self._frames_counter.inc(count)

    def _known(self, book: TradedBook) -> bool:
        return not self.faults.lasts(FaultKind.UNKNOWN_SYMBOL, book.listing.instrument)

    def _is_halted(self, book: TradedBook) -> bool:
        return self.faults.lasts(FaultKind.HALT, book.listing.instrument)

    def _shown(self, book: TradedBook) -> Listing:
        return replace(
            book.listing,
            tradable=book.listing.tradable and not self._is_halted(book),
            post_only=self.faults.lasts(FaultKind.POST_ONLY, book.listing.instrument),
        )

    def _is_mute(self, book: TradedBook) -> bool:
        mute = self.faults.lasts(FaultKind.MUTE, book.listing.instrument)
        return mute or not self._known(book)
