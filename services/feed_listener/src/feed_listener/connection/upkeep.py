"""The upkeep of one connection: all that is said on it beside books, and all that is due at a time.

It subscribes, answers and pings, and judges the venue's silence and slowness. It moves the
connection through its states (`life.py`), and ends it by raising a `TransportError`.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
from dragonfly_common.printable import printable
from dragonfly_venues.events import (
    Acked,
    Closing,
    Event,
    Reply,
    RequestRefused,
    TradingChange,
    Welcome,
)
from dragonfly_venues.transport import Connection, UnresponsiveError

from feed_listener import counters
from feed_listener.connection.context import VenueContext
from feed_listener.connection.life import ConnectionEvent, ConnectionLife, ConnectionState
from feed_listener.connection.liveness import PingLag, Silence, SilenceTimer, Slowness, frozen
from feed_listener.connection.subscriber import VenueSubscriber
from feed_listener.feed_state import FeedEvent
from feed_listener.feeds import Source

__all__ = ["Upkeep"]

SEND_LIMIT_S: Final = 5.0
MOST_REPLIES: Final = 8
"""Of a venue that asks for signs of life faster than we may send them the newest count."""

WELCOMING, GREETING = ConnectionState.WELCOMING, ConnectionState.GREETING
STALE, FENCED, ENDED = ConnectionState.STALE, ConnectionState.FENCED, ConnectionState.ENDED

logger = structlog.get_logger()


class Upkeep:
    """Keeps a connection subscribed and alive until it is given up."""

    def __init__(
        self,
        connection: Connection,
        context: VenueContext,
        source: Source,
        *,
        lifetime_s: float,
        on_news: Callable[[], None],
    ) -> None:
        """Take over an open connection, whose books `source` has; see `Session`."""
        now = context.clock.monotonic()
        self._connection = connection
        self._context = context
        self._venue = context.venue
        self._feeds = context.feeds
        self._clock = context.clock
        self._source = source
        self._on_news = on_news
        self._wake = asyncio.Event()
        self._silence_timer = SilenceTimer(context.venue.liveness, now)
        self._ping_lag = PingLag(context.venue.liveness.stale_after_s, now)
        self._pinged_at = -math.inf
        keepalive_s = context.venue.liveness.keepalive_s
        self._keepalive_s = math.inf if keepalive_s is None else keepalive_s
        self._keepalive_at = math.inf if context.venue.welcomes else now + self._keepalive_s
        self._replies: deque[str] = deque(maxlen=MOST_REPLIES)
        self._speaks_at = now + context.venue.limits.pause_after_connect_s
        self._retire_at = now + lifetime_s
        self._halt_doubted_at = math.inf
        """When the venue's word on this connection that it is halted is old."""
        self._given_up: UnresponsiveError | None = None
        self.life = ConnectionLife(now, welcomes=context.venue.welcomes)
        audited = context.audit and context.venue.audits.bbo
        bbo = audited or context.best_prices
        self.subscriber = VenueSubscriber(context.venue, context.depth, bbo=bbo)
        self.retiring = False
        """A successor is wanted while this connection still serves."""

    def heard(self, now: float) -> None:
        """Take note that frames came.

        Raises:
            UnresponsiveError: they are old, or nobody wants them any more.
        """
        stood_still_s = self._context.pauses.stood_still_s(now)
        state = self.life.state
        if stood_still_s or state is ENDED:
            # What is still in the buffers is old.
            raise self._given_up or frozen(stood_still_s)
        self._silence_timer.heard_at = now
        if state is STALE or state is FENCED:
            self._wake.set()

    def want(self, symbols: Sequence[str]) -> None:
        """Subscribe `symbols`."""
        self.subscriber.want(symbols, self._clock.monotonic())
        self._report(symbols, FeedEvent.ASKED, f"subscribing at {self._venue.name}")
        self._wake.set()

    def unwant(self, symbols: Sequence[str]) -> None:
        """Unsubscribe `symbols`."""
        self.subscriber.unwant(symbols, self._clock.monotonic())
        self._wake.set()

    def ask_again(self, symbol: str) -> None:
        """Ask for a symbol that was refused as soon as may be."""
        self.subscriber.ask_again([symbol], self._clock.monotonic())
        self._wake.set()

    def booked(self, symbol: str, now: float) -> bool:
        """Take note that a book of `symbol` came; return True when it is the first."""
        if not self.subscriber.booked(symbol, now):
            return False
        self._wake.set()
        if self.subscriber.settled:
            self._on_news()
        return True

    def resync(self, symbol: str, now: float) -> bool:
        """Leave `symbol` and ask for it again; return False where that is under way already."""
        self._wake.set()
        return self.subscriber.resync(symbol, now)

    def report_unbooked(self, symbols: Sequence[str], trouble: str = "") -> None:
        """Say that `symbols` wait for their first books, and why REST gives none."""
        reason = f"subscribed at {self._venue.name}; its first book is awaited"
        reason += f", and REST gives none: {trouble}" if trouble else ""
        self._report(symbols, FeedEvent.ASKED, reason)

    def take(self, event: Event, now: float) -> None:
        """Take an event that is of no book."""
        match event:
            case Acked():
                self.report_unbooked(self.subscriber.acked(event, now))
                self._context.on_unbooked()
                if event.others and (left := self.subscriber.left_of(event.request_id)):
                    self._take_refusal(RequestRefused(event.request_id, left, event.others), now)
            case RequestRefused():
                self._take_refusal(event, now)
            case TradingChange(symbol=None):
                self._feeds.announce(self._source, event.trading)
                believed_s = self._context.list_interval_s if event.trading.halted else math.inf
                self._halt_doubted_at = now + believed_s
                # What the list said of markets while the venue was halted is over.
                self._context.doubt_list()
                if not event.trading.halted:
                    # It may have refused who subscribed meanwhile.
                    self.subscriber.ask_again(self.subscriber.wanted, now)
            case TradingChange(symbol=str(symbol)):
                self._context.note_trading(symbol, event.trading)
            case Closing():
                self._retire(printable(event.reason))
            case Welcome():
                if self.life.take(ConnectionEvent.WELCOMED, now):
                    self._keepalive_at = now + self._keepalive_s
            case Reply(text):
                self._replies.append(text)
        self._wake.set()

    def give_up(self, error: UnresponsiveError) -> None:
        """End the connection; nothing that it still holds is read."""
        if self.life.take(ConnectionEvent.ENDED, self._clock.monotonic()):
            self._given_up = error
            self._wake.set()

    async def run(self) -> None:
        """Do what is due until the connection ends.

        Raises:
            TransportError: why it ends.
        """
        while self._given_up is None:
            now = self._clock.monotonic()
            await self._judge_slowness(now)
            await self._keep_alive(now)
            await self._request(now)
            await self._judge_silence(now)
            if now >= self._retire_at:
                self._retire("it is old, and the venue would cut it")
            if now >= self._halt_doubted_at:
                # That the halt is over may be lost on its way: a new connection is told, or not.
                self._retire("its word that trading is halted is old")
            await self._rest(self._clock.monotonic())
        raise self._given_up

    def _report(self, symbols: Sequence[str], event: FeedEvent, reason: str) -> None:
        self._feeds.report(self._source, symbols, event, reason)

    def _take_refusal(self, refusal: RequestRefused, now: float) -> None:
        counters.REFUSALS.labels(self._venue.name).inc()
        why = printable(refusal.reason)
        logger.warning("request refused", symbols=refusal.symbols, reason=why)
        refused = self.subscriber.refused(refusal, now)
        self._report(refused, FeedEvent.REFUSED, f"{self._venue.name} refuses it: {why}")
        self._on_news()

    def _retire(self, reason: str) -> None:
        self._retire_at = self._halt_doubted_at = math.inf
        if not self.retiring:
            logger.info("connection retires", reason=reason)
            self.retiring = True
            self._on_news()

    async def _keep_alive(self, now: float) -> None:
        """Answer what the venue asks, and say by the clock that we are here."""
        while self._replies:
            await self._say(self._replies.popleft(), now)
        if now >= self._keepalive_at and (frame := self.subscriber.keepalive()) is not None:
            self._keepalive_at = now + self._keepalive_s
            await self._say(frame, now)

    async def _request(self, now: float) -> None:
        """Greet the venue and ask for books, as soon as it hears us."""
        if self.life.state is WELCOMING:
            if self._unwelcome_in(now) == 0.0:
                raise UnresponsiveError("unwelcome", f"{self._venue.name} says no welcome")
            return
        if self.life.state is GREETING:
            if now < self._speaks_at:
                return
            for frame in self._venue.greeting:
                await self._say(frame, now)
            self.life.take(ConnectionEvent.GREETED, now)
            if self._venue.instruments.changes_told:
                # What changed since the last connection was told nobody.
                self._context.doubt_list()
        await self._ask(now)

    async def _ask(self, now: float) -> None:
        turn = self.subscriber.turn(now)
        name = self._venue.name
        if turn.unacknowledged:
            counters.ACK_TIMEOUTS.labels(name).inc(len(turn.unacknowledged))
            reason = f"{name} does not acknowledge the subscription; asking again"
            self._report(turn.unacknowledged, FeedEvent.ASKED, reason)
        if turn.bookless:
            counters.FIRST_BOOK_TIMEOUTS.labels(name).inc(len(turn.bookless))
            waited_s = self._venue.liveness.first_book_timeout_s
            reason = f"{name} sent no book for {waited_s or 0.0:g} s; asking again"
            self._report(turn.bookless, FeedEvent.ASKED, reason)
            self._context.doubt_list()
        for frame in turn.frames:
            await self._send(frame)

    async def _judge_slowness(self, now: float) -> None:
        slowness = self._ping_lag.check(now, self._silence_timer.heard_at)
        if slowness is Slowness.PROBE:
            await self._ping(now)
        elif slowness is Slowness.LATE and self.life.state not in {STALE, FENCED}:
            raise UnresponsiveError(
                "lagging", f"the answer to a ping is not yet among what {self._venue.name} sends"
            )

    async def _judge_silence(self, now: float) -> None:
        silence = self._silence_timer.check(now)
        if silence is None:
            await self._fence(now)
            return
        reason = f"{self._venue.name} silent for {self._silence_timer.limit_s(silence):g} s"
        if silence is Silence.PROBE:
            await self._probe(now)
        elif silence is Silence.STALE:
            self.life.take(ConnectionEvent.SILENT, now)
            silent_s = round(now - self._silence_timer.heard_at, 3)
            logger.warning("connection silent", seconds=silent_s)
            self._report(list(self._source.tops), FeedEvent.SILENT, reason)
        elif silence is Silence.DEAD:
            raise UnresponsiveError("silent", reason)

    async def _fence(self, now: float) -> None:
        """Ask for a sign that all has been read which was sent while nothing was heard."""
        silent_s = now - self._silence_timer.heard_at
        if silent_s >= self._silence_timer.limit_s(Silence.STALE):
            return
        if self.life.take(ConnectionEvent.HEARD, now):
            await self._ping(now)
        elif self.life.state is FENCED and (
            now - self.life.since >= self._silence_timer.limit_s(Silence.DEAD)
        ):
            raise UnresponsiveError("silent", f"{self._venue.name} does not answer pings")

    async def _probe(self, now: float) -> None:
        """Ask for a sign of life, in the venue's own way where it has one and hears us."""
        request = None if self.life.state is WELCOMING else self.subscriber.probe()
        if request is None:
            await self._ping(now)
        else:
            await self._say(request, now)

    async def _ping(self, now: float) -> None:
        """Ping, once a turn, for whatever reasons: venues count pings."""
        if now == self._pinged_at:
            return
        self._pinged_at = now
        self.subscriber.spend(now)
        self._ping_lag.asked(now)
        await self._connection.ping(partial(self._answered, now))

    def _answered(self, asked_at: float) -> None:
        now, life = self._clock.monotonic(), self.life
        if life.state is ENDED or self._context.pauses.stood_still_s(now):
            return
        self._silence_timer.heard_at = now
        self._ping_lag.answered()
        if life.state is STALE:
            self._wake.set()  # it lives: time to ask whether all has been read
        elif asked_at >= life.since and life.take(ConnectionEvent.ANSWERED, now):
            logger.info("connection heard again")
            self._feeds.trust(self._source)
            if self._venue.instruments.changes_told:
                self._context.doubt_list()
            self._context.on_unbooked()

    async def _say(self, text: str, now: float) -> None:
        """Send a frame at once, counted against the venue's limit."""
        self.subscriber.spend(now)
        await self._send(text)

    async def _send(self, text: str) -> None:
        if self._venue.stamp is not None:
            text = self._venue.stamp(text, self._clock.now_ns())
        await self._deliver(text)

    async def _deliver(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await self._connection.send(text)
        except TimeoutError:
            raise UnresponsiveError(
                "not_reading", f"{self._venue.name} read nothing for {SEND_LIMIT_S:g} s"
            ) from None

    def _unwelcome_in(self, now: float) -> float:
        return max(0.0, self.life.since + self._venue.liveness.ack_timeout_s - now)

    def _requests_in(self, now: float) -> float:
        if self.life.state is WELCOMING:
            return self._unwelcome_in(now)
        if self.life.state is GREETING:
            return max(0.0, self._speaks_at - now)
        return self.subscriber.due_in(now)

    async def _rest(self, now: float) -> None:
        """Wait until something is due, or happens."""
        due_s = min(
            self._requests_in(now),
            self._silence_timer.due_in(now),
            self._ping_lag.due_in(now),
            max(0.0, min(self._retire_at, self._halt_doubted_at, self._keepalive_at) - now),
        )
        timer = asyncio.get_running_loop().call_later(due_s, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()
