"""One connection: receives, subscribes, and judges the venue's silence.

Two tasks share it. `_hear` is the hot path: bytes, decoder, publication, nothing else. `_tend`
does all that is due at a time: paced requests, probes, timeouts. Either ends the connection by
raising a `ClientError`; what comes after is the pool's affair.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.printable import printable
from dragonfly_common.staleness import Lag, PauseDetector
from dragonfly_venues.decoding.frames import Choice, choices, gunzip
from dragonfly_venues.events import (
    Acked,
    Bbo,
    BookTop,
    Broken,
    Closing,
    Event,
    FrameError,
    Heard,
    Lost,
    Refused,
    Reply,
    SeedWanted,
    Trading,
    TradingChange,
    Unchanged,
    Verified,
    Welcome,
    WholeBook,
)
from dragonfly_venues.transport import ClientError, Connection, UnresponsiveError, foreseen
from dragonfly_venues.venue import Venue

from feed_listener import counters
from feed_listener.audit.comparing import BEHIND_S, Audit, Audits, Result, Verdict, Watch
from feed_listener.connection.liveness import PingLag, Silence, SilenceTimer, Slowness, frozen
from feed_listener.connection.subscriber import Subscriber
from feed_listener.feed_state import FeedEvent
from feed_listener.feeds import Feeds

__all__ = ["Session", "VenueContext"]

SEND_LIMIT_S: Final = 5.0
MOST_REPLIES: Final = 8
"""Of a venue that asks for signs of life faster than we may send them the newest count."""
PROVEN_S: Final = 2.0
LATE_S: Final = 1.0
LATE_FOR_S: Final = 2.0
PLAUSIBLE_S: Final = 60.0
"""A stamp farther from our clock is no clock: a recording, or a venue that stamps oddly."""

logger = structlog.get_logger()


@dataclass(frozen=True)
class VenueContext:
    """What all connections to one venue share."""

    venue: Venue
    depth: int
    feeds: Feeds
    clock: Clock
    pauses: PauseDetector
    doubt_list: Callable[[], None]
    """Called when a listed symbol sends no book: the instrument list may be old."""
    note_trading: Callable[[str, Trading], None]
    """Called when the venue says whether the market of a symbol can be traded."""
    on_unbooked: Callable[[], None] = lambda: None
    """Called when a symbol begins to wait for its first book, or can be served again."""
    audit: bool = False
    """Whether more is asked for than the books, to hold them against it."""


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
        self._feeds = context.feeds
        self._clock = context.clock
        self._decoder = context.venue.decoder(context.depth)
        self._subscriber = Subscriber(context.venue, context.depth, bbo=context.audit)
        self._audits = Audits()
        self._by_checksum = context.venue.audits.checksum
        self._checksum_agreed = counters.AUDITS.labels(Audit.CHECKSUM, Result.AGREED)
        self._watch: Watch | None = None
        self._silence_timer = SilenceTimer(context.venue.liveness, now)
        self._lag = Lag(
            context.clock.now_ns() / 1e9,
            now,
            limit_s=LATE_S,
            patience_s=LATE_FOR_S,
            plausible_s=PLAUSIBLE_S,
        )
        self._ping_lag = PingLag(context.venue.liveness.stale_after_s, now)
        self._on_news = on_news
        self._wake = asyncio.Event()
        self._opened_at = now
        self._speaks_at = now + context.venue.limits.pause_after_connect_s
        self._retire_at = now + lifetime_s
        self._welcomed = not context.venue.welcomes
        self._greeted = False
        keepalive_s = context.venue.liveness.keepalive_s
        self._keepalive_s = math.inf if keepalive_s is None else keepalive_s
        self._keepalive_at = now + self._keepalive_s if self._welcomed else math.inf
        self._replies: deque[str] = deque(maxlen=MOST_REPLIES)
        self._seeds_wanted: dict[str, float] = {}
        """Since when a book that is served needs a whole one to go on from."""
        self._stale = False
        self._ended = False
        self._fence_at = math.inf
        self._given_up: UnresponsiveError | None = None
        self._malformed_reasons: set[str] = set()
        self._nonsense_since = math.inf
        self._refused_since: dict[str, float] = {}
        self.rank = rank
        self.tops: dict[str, tuple[BookTop, int]] = {}
        self.retiring = False
        """Whether a successor is wanted while this one still serves."""

    @property
    def proven(self) -> bool:
        """Whether it has served for a while: trouble from here on is new trouble."""
        served_s = self._clock.monotonic() - self._opened_at
        return bool(self.tops) and served_s >= PROVEN_S

    @property
    def trusted(self) -> bool:
        """Whether its last books still stand."""
        stood_still_s = self._context.pauses.stood_still_s(self._clock.monotonic())
        return not (self._stale or self._given_up or self._ended or stood_still_s)

    @property
    def complete(self) -> bool:
        """Whether every wanted symbol has its first book, or was refused."""
        return self._subscriber.settled

    def want(self, symbols: Iterable[str]) -> None:
        """Subscribe `symbols`."""
        names = list(symbols)
        self._subscriber.want(names, self._clock.monotonic())
        self._feeds.report(self, names, FeedEvent.ASKED, f"subscribing at {self._venue.name}")
        self._wake.set()

    def unwant(self, symbols: Iterable[str]) -> None:
        """Unsubscribe `symbols`; what still arrives of them is ignored."""
        names = list(symbols)
        self._subscriber.unwant(names, self._clock.monotonic())
        for name in names:
            self._forget(name)
        self._wake.set()

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

    def say_unbooked(self, symbol: str, trouble: str = "") -> None:
        """Say that `symbol` waits for its first book, if it does, and why REST gives none."""
        if symbol in self.tops:
            return  # it is served, and goes on without
        reason = f"subscribed at {self._venue.name}; its first book is awaited"
        reason += f", and REST gives none: {trouble}" if trouble else ""
        self._feeds.report(self, [symbol], FeedEvent.ASKED, reason)

    def give_up(self, error: UnresponsiveError) -> None:
        """End the connection; nothing that it still holds is published."""
        if self._given_up is None:
            self._given_up = error
            self._wake.set()

    async def audit(self, symbol: str, fetch: Callable[[], Awaitable[BookTop]]) -> Result:
        """Hold the book of `symbol` against the whole book that `fetch` returns.

        One symbol at a time. Raises what `fetch` does.
        """
        self._watch = watch = Watch(symbol)
        try:
            self._note_watched(symbol)
            snapshot = await fetch()
            if not watch.has_reached(snapshot.venue_seq):
                await asyncio.sleep(BEHIND_S)
        finally:
            self._watch = None
        watch.void |= not self.trusted
        verdict = watch.judge(snapshot)
        self._audited(symbol, Audit.SNAPSHOT, verdict, self._clock.monotonic())
        return verdict.result

    async def serve(self) -> ClientError:
        """Serve until the connection ends; return why it did."""
        reason: ClientError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive())
                group.create_task(self._tend())
        except* Exception as failures:  # noqa: BLE001 - what befalls one venue ends no other
            reason = foreseen(failures)
        finally:
            self._ended = True
        assert reason is not None  # both tasks run until one raises
        return reason

    async def close(self) -> None:
        """Close the connection, within a bounded time."""
        await self._connection.close()

    async def _receive(self) -> None:
        await self._connection.stream(self._hear)

    def _hear(self, frames: Sequence[bytes]) -> None:
        ts_recv = self._clock.now_ns()
        now = self._clock.monotonic()
        stood_still_s = self._context.pauses.stood_still_s(now)
        if stood_still_s or self._given_up is not None:
            # What is still in the buffers is old.
            raise self._given_up or frozen(stood_still_s)
        self._silence_timer.heard_at = now
        counters.FRAMES.count += len(frames)
        if self._venue.gzip:
            frames = self._unpacked(frames, now)
        if len(frames) == 1:
            self._read_one(((frames[0], None),), ts_recv, now)
        else:
            for choice in choices(frames, self._whole_book):
                self._read_one(choice, ts_recv, now)
        if self._stale:
            self._wake.set()

    def _unpacked(self, frames: Sequence[bytes], now: float) -> Sequence[bytes]:
        whole = []
        for frame in frames:
            try:
                whole.append(gunzip(frame, self._venue.limits.max_frame_bytes))
            except FrameError as error:
                self._malformed(error, now)
        return whole

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
            counters.SUPERSEDED.count += len(choice) - number
            return

    def _whole_book(self, frame: bytes) -> WholeBook | None:
        book = self._decoder.whole_book(frame)
        if book is not None and self._watch is not None and self._watch.symbol == book.symbol:
            return None  # each of its states is wanted
        return book

    def _take(self, event: Event, ts_recv: int, now: float) -> None:
        if self._refused_since and isinstance(event, BookTop | Unchanged):
            self._refused_since.pop(event.symbol, None)
        if isinstance(event, Unchanged):
            if event.symbol in self.tops:
                if not self._stale:
                    self._feeds.same(self, event.symbol)
                self._verified(event.symbol, now)
        elif isinstance(event, BookTop):
            self._take_top(event, ts_recv, now)
        elif isinstance(event, Bbo):
            self._take_bbo(event, now)
        elif not isinstance(event, Heard):
            self._take_control(event, now)

    def _take_top(self, top: BookTop, ts_recv: int, now: float) -> None:
        if top.symbol not in self.tops:
            if not self._subscriber.booked(top.symbol, now):
                # Of a subscription that has ended: the next one's first book is news again.
                self._decoder.forget(top.symbol)
                return
            self._first_book()
        elif top.ts_event is not None and self._lag.observe(now, top.ts_event):
            raise UnresponsiveError(
                "lagging", f"what it sends is {self._lag.excess_s:.1f} s older than it was at first"
            )
        self.tops[top.symbol] = (top, ts_recv)
        if self._by_checksum or self._watch is not None:
            self._verified(top.symbol, now)
        if not self._stale:
            self._feeds.top(self, top, ts_recv)

    def _take_bbo(self, bbo: Bbo, now: float) -> None:
        known = self.tops.get(bbo.symbol)
        if known is not None and not self._stale:
            verdict = self._audits.judge_bbo(bbo, self._decoder.seq(bbo.symbol), known[0], now)
            self._audited(bbo.symbol, Audit.BBO, verdict, now)

    def _verified(self, symbol: str, now: float) -> None:
        """Take note of a book frame: that its checksum held, and of the state if it is watched."""
        if self._by_checksum:
            self._note_checksum(symbol, now)
        if self._watch is not None:
            self._note_watched(symbol)

    def _note_checksum(self, symbol: str, now: float) -> None:
        self._checksum_agreed.count += 1
        self._feeds.audited(self, symbol, now, agreed=True)

    def _note_watched(self, symbol: str) -> None:
        if self._watch is not None and self._watch.symbol == symbol and symbol in self.tops:
            self._watch.note(self._decoder.seq(symbol), self.tops[symbol][0])

    def _audited(self, symbol: str, audit: Audit, verdict: Verdict, now: float) -> None:
        counters.AUDITS.labels(audit, verdict.result).count += 1
        if verdict.result is Result.NOT_COMPARABLE:
            return
        self._feeds.audited(self, symbol, now, agreed=verdict.result is Result.AGREED)
        tell, at_fault = self._audits.note(symbol, audit, verdict, now)
        if tell:
            logger.warning("audit disagreed", symbol=symbol, audit=audit, detail=verdict.detail)
        if at_fault:
            self._mend(Broken(symbol, "audit", verdict.detail), now)
            self._wake.set()

    def _first_book(self) -> None:
        self._wake.set()
        if self._subscriber.settled:
            self._on_news()

    def _take_control(self, event: Event, now: float) -> None:
        match event:
            case Acked():
                for symbol in self._subscriber.acked(event, now):
                    self.say_unbooked(symbol)
                self._context.on_unbooked()
            case Refused():
                counters.REFUSALS.inc()
                why = printable(event.reason)
                logger.warning("request refused", symbols=event.symbols, reason=why)
                refused = self._subscriber.refused(event, now)
                reason = f"{self._venue.name} refuses it: {why}"
                self._feeds.report(self, refused, FeedEvent.REFUSED, reason)
                self._on_news()
            case TradingChange(symbol=None):
                self._feeds.announce(self, event.trading)
                # What the list said of markets while the venue was halted is over.
                self._context.doubt_list()
            case TradingChange(symbol=str(symbol)):
                self._context.note_trading(symbol, event.trading)
            case Closing():
                self._retire(printable(event.reason))
            case Broken():
                self._mend(event, now)
            case _:
                self._take_need(event, now)
        self._wake.set()

    def _take_need(self, event: Event, now: float) -> None:
        """Take what the venue, or a book of it, needs of us."""
        match event:
            case Welcome():
                if not self._welcomed:
                    self._welcomed = True
                    self._keepalive_at = now + self._keepalive_s
            case Reply(text):
                self._replies.append(text)
            case Verified(symbol):
                self._note_checksum(symbol, now)
            case SeedWanted(symbol):
                if symbol in self.tops:
                    self._seeds_wanted.setdefault(symbol, now)
                    self._context.on_unbooked()
            case Lost(detail):
                for symbol in list(self.tops):
                    self._mend(Broken(symbol, "lost", detail), now)

    def _mend(self, broken: Broken, now: float) -> None:
        if not self._subscriber.resync(broken.symbol, now):
            return
        counters.BROKEN.labels(broken.cause).inc()
        if broken.cause == "checksum":
            counters.AUDITS.labels(Audit.CHECKSUM, Result.DISAGREED).count += 1
            self._feeds.audited(self, broken.symbol, now, agreed=False)
        detail = printable(broken.detail)
        logger.warning("book broken", symbol=broken.symbol, cause=broken.cause, detail=detail)
        self._forget(broken.symbol)
        reason = f"resyncing: {broken.cause.replace('_', ' ')} ({detail})"
        self._feeds.report(self, [broken.symbol], FeedEvent.VOID, reason)

    def _forget(self, symbol: str) -> None:
        self.tops.pop(symbol, None)
        self._seeds_wanted.pop(symbol, None)
        self._decoder.forget(symbol)
        self._audits.forget(symbol)
        if self._watch is not None and self._watch.symbol == symbol:
            self._watch.void = True

    def _malformed(self, error: FrameError, now: float) -> None:
        counters.MALFORMED.labels(error.reason).inc()
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

    def _retire(self, reason: str) -> None:
        if not self.retiring:
            logger.info("connection retires", reason=reason)
            self.retiring = True
            self._retire_at = math.inf
            self._on_news()

    async def _tend(self) -> None:
        clock = self._clock
        while self._given_up is None:
            now = clock.monotonic()
            await self._judge_slowness(now)
            await self._keep_alive(now)
            if not self._welcomed:
                if now - self._opened_at >= self._venue.liveness.ack_timeout_s:
                    raise UnresponsiveError("unwelcome", f"{self._venue.name} says no welcome")
            elif now >= self._speaks_at:
                await self._greet(now)
                await self._ask(now)
            await self._judge_silence(now)
            if now >= self._retire_at:
                self._retire("it is old, and the venue would cut it")
            await self._rest(clock.monotonic())
        raise self._given_up

    async def _greet(self, now: float) -> None:
        if self._greeted:
            return
        self._greeted = True
        for frame in self._venue.greeting:
            self._subscriber.spend(now)
            await self._send(frame)
        if self._venue.instruments.changes_told:
            # What changed since the last connection was told nobody.
            self._context.doubt_list()

    async def _keep_alive(self, now: float) -> None:
        """Answer what the venue asks, and say by the clock that we are here."""
        while self._replies:
            self._subscriber.spend(now)
            await self._send(self._replies.popleft())
        if now >= self._keepalive_at and (frame := self._subscriber.keepalive()) is not None:
            self._keepalive_at = now + self._keepalive_s
            self._subscriber.spend(now)
            await self._send(frame)

    async def _ask(self, now: float) -> None:
        turn = self._subscriber.turn(now)
        name = self._venue.name
        if turn.unacknowledged:
            counters.ACK_TIMEOUTS.inc(len(turn.unacknowledged))
            reason = f"{name} does not acknowledge the subscription; asking again"
            self._feeds.report(self, turn.unacknowledged, FeedEvent.ASKED, reason)
        if turn.bookless:
            counters.FIRST_BOOK_TIMEOUTS.inc(len(turn.bookless))
            waited_s = self._venue.liveness.first_book_timeout_s
            reason = f"{name} sent no book for {waited_s or 0.0:g} s; asking again"
            self._feeds.report(self, turn.bookless, FeedEvent.ASKED, reason)
            self._context.doubt_list()
        for frame in turn.frames:
            await self._send(frame)

    async def _judge_silence(self, now: float) -> None:
        silence = self._silence_timer.check(now)
        if silence is Silence.PROBE:
            await self._probe(now)
        elif silence is Silence.STALE:
            self._stale = True
            reason = f"{self._venue.name} silent for {self._silence_timer.limit_s(silence):g} s"
            logger.warning(
                "connection silent", seconds=round(now - self._silence_timer.heard_at, 3)
            )
            self._feeds.report(self, list(self.tops), FeedEvent.SILENT, reason)
        elif silence is Silence.DEAD:
            limit_s = self._silence_timer.limit_s(silence)
            raise UnresponsiveError("silent", f"{self._venue.name} silent for {limit_s:g} s")
        elif self._stale and silence is None:
            await self._fence(now)

    async def _judge_slowness(self, now: float) -> None:
        slowness = self._ping_lag.check(now, self._silence_timer.heard_at)
        if slowness is Slowness.PROBE:
            await self._ping(now)
        elif slowness is Slowness.LATE and not self._stale:
            raise UnresponsiveError(
                "lagging", f"the answer to a ping is not yet among what {self._venue.name} sends"
            )

    async def _fence(self, now: float) -> None:
        """Ask for a sign that all has been read which was sent while nothing was heard."""
        if now - self._silence_timer.heard_at >= self._silence_timer.limit_s(Silence.STALE):
            return
        if self._fence_at == math.inf:
            self._fence_at = now
            await self._ping(now)
        elif now - self._fence_at >= self._silence_timer.limit_s(Silence.DEAD):
            raise UnresponsiveError("silent", f"{self._venue.name} does not answer pings")

    async def _probe(self, now: float) -> None:
        request = self._subscriber.probe() if self._welcomed else None
        if request is None:
            await self._ping(now)
            return
        self._subscriber.spend(now)
        await self._send(request)

    async def _ping(self, now: float) -> None:
        self._subscriber.spend(now)
        self._ping_lag.asked(now)
        await self._connection.ping(partial(self._answered, now))

    def _answered(self, asked_at: float) -> None:
        now = self._clock.monotonic()
        if self._given_up is not None or self._context.pauses.stood_still_s(now):
            return
        self._silence_timer.heard_at = now
        self._ping_lag.answered()
        if not self._stale:
            return
        if asked_at < self._fence_at:
            self._wake.set()  # it lives: time to ask whether all has been read
            return
        self._stale = False
        self._fence_at = math.inf
        logger.info("connection heard again")
        self._feeds.trust(self)
        self._context.on_unbooked()

    async def _send(self, text: str) -> None:
        if self._venue.stamp is not None:
            text = self._venue.stamp(text, self._clock.now_ns())
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await self._connection.send(text)
        except TimeoutError:
            raise UnresponsiveError(
                "not_reading", f"{self._venue.name} read nothing for {SEND_LIMIT_S:g} s"
            ) from None

    def _asks_in(self, now: float) -> float:
        return max(self._subscriber.due_in(now), self._speaks_at - now)

    def _unwelcome_in(self, now: float) -> float:
        return max(0.0, self._opened_at + self._venue.liveness.ack_timeout_s - now)

    async def _rest(self, now: float) -> None:
        due_s = min(
            self._asks_in(now) if self._welcomed else self._unwelcome_in(now),
            self._silence_timer.due_in(now),
            self._ping_lag.due_in(now),
            max(0.0, min(self._retire_at, self._keepalive_at) - now),
        )
        timer = asyncio.get_running_loop().call_later(due_s, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()
