"""One connection: bytes in, books out.

    transport ─frames─▶ Session ─▶ Decoder ─events─▶ Session ─▶ Feeds        (at every frame)
                                                        ├─▶ Auditor          (what is compared)
                                                        └─▶ Upkeep           (what is of no book)

The session owns the books as they stand, the decoder that makes them, and what is done about one
that breaks. The upkeep (`upkeep.py`) is a task beside it, which owns the connection's state, its
subscriptions and its timers. Either ends the connection by raising a `TransportError`; the pool
opens the next.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog
from dragonfly_common.printable import printable
from dragonfly_common.staleness import Lag
from dragonfly_venues.decoding.composed_tops import ComposedTops
from dragonfly_venues.decoding.frames import Choice, choices, gunzip
from dragonfly_venues.events import (
    Bbo,
    BookTop,
    Broken,
    Event,
    FrameError,
    Heard,
    Lost,
    SeedWanted,
    Unchanged,
    Verified,
    WholeBook,
)
from dragonfly_venues.transport import Connection, TransportError, UnresponsiveError, foreseen

from feed_listener import counters
from feed_listener.audit.comparing import Result
from feed_listener.connection.auditor import Auditor
from feed_listener.connection.context import VenueContext
from feed_listener.connection.life import ConnectionEvent, ConnectionState
from feed_listener.connection.upkeep import Upkeep
from feed_listener.feed_state import FeedEvent
from feed_listener.feeds import Feed

__all__ = ["Session"]

PROVEN_S: Final = 2.0
LATE_S: Final = 1.0
LATE_FOR_S: Final = 2.0
PLAUSIBLE_S: Final = 60.0
"""A stamp farther from our clock is no clock: a recording, or a venue that stamps oddly."""

SERVING = ConnectionState.SERVING

logger = structlog.get_logger()


class Session:
    """One connection, from the moment it is open until it is given up."""

    def __init__(
        self,
        connection: Connection,
        context: VenueContext,
        *,
        rank: int,
        lifetime_s: float,
        on_news: Callable[[], None],
    ) -> None:
        """Take over an open connection.

        `rank` is higher for a newer connection, `lifetime_s` how long until a successor is wanted;
        `on_news` is called when the session wants a successor, or has all its first books.
        """
        now = context.clock.monotonic()
        self._connection = connection
        self._context = context
        self._venue = context.venue
        self._frames = counters.FRAMES.labels(context.venue.name)
        self._superseded = counters.SUPERSEDED.labels(context.venue.name)
        self._feeds = context.feeds
        self._clock = context.clock
        self._opened_at = now
        self._decoder = context.venue.decoder(context.depth)
        self._composed = ComposedTops(context.depth, context.shown)
        self._best_prices = context.best_prices
        books = self._composed.books
        self._auditor = Auditor(context, self, self._decoder, books, self._mend)
        self._upkeep = Upkeep(connection, context, self, lifetime_s=lifetime_s, on_news=on_news)
        self._life = self._upkeep.life
        self._subscriber = self._upkeep.subscriber
        self._lag = Lag(
            context.clock.now_ns() / 1e9,
            now,
            limit_s=LATE_S,
            patience_s=LATE_FOR_S,
            plausible_s=PLAUSIBLE_S,
        )
        self._seeds_wanted: dict[str, float] = {}
        """Since when a book that is served needs a whole one to go on from."""
        self._malformed_reasons: set[str] = set()
        self._nonsense_since = math.inf
        self._refused_since: dict[str, float] = {}
        self.rank = rank
        self.tops: dict[str, tuple[BookTop, int]] = {}

    async def serve(self) -> TransportError:
        """Serve until the connection ends; return why it did."""
        reason: TransportError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive())
                group.create_task(self._upkeep.run())
        except* Exception as failures:  # noqa: BLE001 - what befalls one venue ends no other
            reason = foreseen(failures)
        finally:
            self._life.take(ConnectionEvent.ENDED, self._clock.monotonic())
        assert reason is not None  # both tasks run until one raises
        return reason

    async def close(self) -> None:
        """Close the connection, within a bounded time."""
        await self._connection.close()

    async def _receive(self) -> None:
        await self._connection.stream(self._hear)

    def _hear(self, frames: Sequence[bytes]) -> None:
        """Take the frames of one read."""
        ts_recv = self._clock.now_ns()
        now = self._clock.monotonic()
        self._upkeep.heard(now)
        self._frames.count += len(frames)
        if self._venue.gzip:
            frames = self._unpacked(frames, now)
        if len(frames) == 1:
            self._read_one(((frames[0], None),), ts_recv, now)
        else:
            for choice in choices(frames, self._whole_book):
                self._read_one(choice, ts_recv, now)

    def _unpacked(self, frames: Sequence[bytes], now: float) -> Sequence[bytes]:
        whole = []
        for frame in frames:
            try:
                whole.append(gunzip(frame, self._venue.limits.max_frame_bytes))
            except FrameError as error:
                self._malformed(error, now)
        return whole

    def _whole_book(self, frame: bytes) -> WholeBook | None:
        book = self._decoder.whole_book(frame)
        if book is not None and self._auditor.watches(book.symbol):
            return None  # each of its states is wanted
        return book

    def _read_one(self, choice: Choice, ts_recv: int, now: float) -> None:
        """Take the first frame that means something."""
        for number, (frame, book) in enumerate(choice, start=1):
            try:
                events = self._decoder.decode(frame, book)
            except FrameError as error:
                self._malformed(error, now)
                continue
            self._nonsense_since = math.inf
            for event in events:
                self._take(event, ts_recv, now)
            self._superseded.count += len(choice) - number
            return

    def _take(self, event: Event, ts_recv: int, now: float) -> None:
        if self._refused_since and isinstance(event, BookTop | Unchanged):
            self._refused_since.pop(event.symbol, None)
        if isinstance(event, Unchanged):
            symbol = event.symbol
            if symbol in self.tops:
                if self._best_prices and self._composed.is_ahead(symbol):
                    seq = self._decoder.seq(symbol)
                    shown = self._composed.on_same(symbol, seq)
                    self._show(shown, symbol, ts_recv, now, frame_at=now)
                elif self._life.state is SERVING:
                    self._feeds.same(self, symbol, now)
                self._auditor.on_book(symbol, now)
        elif isinstance(event, BookTop):
            self._take_top(event, ts_recv, now)
        elif isinstance(event, Bbo):
            self._take_best(event, ts_recv, now)
        elif not isinstance(event, Heard):
            self._take_rare(event, now)

    def _take_top(self, top: BookTop, ts_recv: int, now: float) -> None:
        if top.symbol not in self.tops:
            if not self._upkeep.booked(top.symbol, now):
                # Of a subscription that has ended: the next one's first book is news again.
                self._decoder.forget(top.symbol)
                return
        elif top.ts_event is not None and self._lag.observe(now, top.ts_event):
            raise UnresponsiveError(
                "lagging", f"what it sends is {self._lag.excess_s:.1f} s older than it was at first"
            )
        shown = self._composed.on_book(top)
        self._auditor.on_book(top.symbol, now)
        self._show(shown, top.symbol, ts_recv, now, frame_at=now)

    def _take_best(self, best: Bbo, ts_recv: int, now: float) -> None:
        symbol, seq = best.symbol, self._decoder.seq(best.symbol)
        if self._life.state is SERVING:
            self._auditor.on_bbo(best, seq, now)
        if self._best_prices and symbol in self.tops:
            self._show(self._composed.on_best(best, seq), symbol, ts_recv, now)

    def _show(
        self,
        top: BookTop | Broken | None,
        symbol: str,
        ts_recv: int,
        now: float,
        *,
        frame_at: float | None = None,
    ) -> None:
        """Publish the top of `symbol`, if it is another one now; `frame_at` as `Feeds` has it."""
        if isinstance(top, Broken):
            self._mend(top, now)
        elif top is not None:
            self.tops[symbol] = (top, ts_recv)
            if self._life.state is SERVING:
                self._feeds.changed(self, symbol, frame_at)
        elif self._life.state is SERVING:
            self._feeds.same(self, symbol, frame_at)

    def _take_rare(self, event: Event, now: float) -> None:
        match event:
            case Broken():
                self._mend(event, now)
            case Lost(detail):
                for symbol in list(self.tops):
                    self._mend(Broken(symbol, "lost", detail), now)
            case Verified(symbol):
                self._auditor.on_checksum(symbol, now, agreed=True)
            case SeedWanted(symbol):
                if symbol in self.tops:
                    self._seeds_wanted.setdefault(symbol, now)
                    self._context.on_unbooked()
            case _:
                self._upkeep.take(event, now)

    def _mend(self, broken: Broken, now: float) -> None:
        """Ask anew for a book that can no longer be trusted."""
        if not self._upkeep.resync(broken.symbol, now):
            return
        counters.BROKEN.labels(broken.cause, self._venue.name).inc()
        if broken.cause == "checksum":
            self._auditor.on_checksum(broken.symbol, now, agreed=False)
        detail = printable(broken.detail)
        logger.warning("book broken", symbol=broken.symbol, cause=broken.cause, detail=detail)
        self._forget(broken.symbol)
        reason = f"resyncing: {broken.cause.replace('_', ' ')} ({detail})"
        self._feeds.report(self, [broken.symbol], FeedEvent.VOID, reason)

    def _forget(self, symbol: str) -> None:
        self.tops.pop(symbol, None)
        self._seeds_wanted.pop(symbol, None)
        self._decoder.forget(symbol)
        self._composed.forget(symbol)
        self._auditor.forget(symbol)

    def _malformed(self, error: FrameError, now: float) -> None:
        counters.MALFORMED.labels(error.reason, self._venue.name).inc()
        self._nonsense_since = min(self._nonsense_since, now)
        if now - self._nonsense_since >= self._venue.liveness.stale_after_s:
            # It talks, and nothing of it can be used: what it said before grows old unseen.
            raise UnresponsiveError("malformed", f"{self._venue.name} sends nothing but nonsense")
        if error.symbol in self.tops:
            self._doubt(error, now)
        if error.reason not in self._malformed_reasons:
            self._malformed_reasons.add(error.reason)
            logger.warning("frame malformed", reason=error.reason, detail=str(error))

    def _doubt(self, error: FrameError, now: float) -> None:
        """Resync a symbol whose frames have all been refused for as long as silence may last."""
        assert error.symbol is not None
        since = self._refused_since.setdefault(error.symbol, now)
        if now - since >= self._venue.liveness.stale_after_s:
            del self._refused_since[error.symbol]
            self._mend(Broken(error.symbol, "malformed", str(error)), now)

    # What the pool and the feeds ask of it.

    @property
    def proven(self) -> bool:
        """It has served for a while: trouble from here on is new trouble."""
        served_s = self._clock.monotonic() - self._opened_at
        return bool(self.tops) and served_s >= PROVEN_S

    @property
    def trusted(self) -> bool:
        """Its last books still stand."""
        stood_still_s = self._context.pauses.stood_still_s(self._clock.monotonic())
        return self._life.state is SERVING and not stood_still_s

    @property
    def complete(self) -> bool:
        """Every wanted symbol has its first book, or was refused."""
        return self._subscriber.settled

    @property
    def retiring(self) -> bool:
        """A successor is wanted while this one still serves."""
        return self._upkeep.retiring

    def want(self, symbols: Iterable[str]) -> None:
        """Subscribe `symbols`."""
        self._upkeep.want(list(symbols))

    def unwant(self, symbols: Iterable[str]) -> None:
        """Unsubscribe `symbols`; what still arrives of them is ignored."""
        names = list(symbols)
        self._upkeep.unwant(names)
        for name in names:
            self._forget(name)

    def ask_again(self, symbol: str) -> None:
        """Ask for a symbol that was refused as soon as may be."""
        self._upkeep.ask_again(symbol)

    def give_up(self, error: UnresponsiveError) -> None:
        """End the connection; nothing that it still holds is published."""
        self._upkeep.give_up(error)

    async def audit(self, symbol: str, fetch: Callable[[], Awaitable[BookTop]]) -> Result:
        """Hold the book of `symbol` against the whole book that `fetch` returns.

        One symbol at a time. Raises what `fetch` does.
        """
        return await self._auditor.compare(symbol, fetch)

    async def question(self, feed: Feed, fetch: Callable[[], Awaitable[BookTop]]) -> None:
        """Hold the book of a silent feed against the whole books that `fetch` returns.

        Raises what `fetch` does.
        """
        await self._auditor.question(feed, fetch)

    def unbooked(self) -> Mapping[str, float]:
        """Return since when each symbol waits for its first book, where it could be served now."""
        return self._subscriber.waiting() | self._seeds_wanted if self.trusted else {}

    def awaits(self, symbol: str, since: float) -> bool:
        """Say whether `symbol` still waits for its first book as `unbooked` said."""
        wanted = self._seeds_wanted.get(symbol) == since or self._subscriber.waits(symbol, since)
        return self.trusted and wanted

    def seed(self, book: BookTop) -> None:
        """Take a book that REST gave as the first one of its symbol, which `awaits` one."""
        ts_recv, now = self._clock.now_ns(), self._clock.monotonic()
        since = self._seeds_wanted.pop(book.symbol, None)
        for event in self._decoder.seed(book):
            self._take(event, ts_recv, now)
        if since is not None and book.symbol in self._seeds_wanted:
            self._seeds_wanted[book.symbol] = since  # it did not help: the wish stands

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` is REST's, and no frame has confirmed it yet."""
        return self._decoder.seeded(symbol)

    def report_unbooked(self, symbol: str, trouble: str = "") -> None:
        """Say that `symbol` waits for its first book, if it does, and why REST gives none."""
        if symbol not in self.tops:  # else it is served, and goes on without
            self._upkeep.report_unbooked([symbol], trouble)
