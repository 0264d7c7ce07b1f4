"""One client of one venue: its session's actions performed, its connection kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

import structlog
from websockets.exceptions import ConnectionClosed

from venue_simulator import counters
from venue_simulator.connection import VenueConnection
from venue_simulator.exchange import Exchange
from venue_simulator.faults import FaultKind
from venue_simulator.trading.orders import OrderEvent
from venue_simulator.venue import (
    Action,
    AskDesk,
    BookStream,
    Frame,
    HangUp,
    KeepaliveRules,
    KeptAlive,
    Later,
    Question,
    Send,
    Subscribe,
    Unsubscribe,
    VenueSession,
)

__all__ = ["ConnectedClient"]

logger = structlog.get_logger()


class ConnectedClient:
    """A member of an exchange, for as long as its connection is open."""

    def __init__(
        self, connection: VenueConnection, exchange: Exchange, session: VenueSession
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._session = session
        session.faster = exchange.faster
        self._venue = exchange.venue.name
        self._loop = asyncio.get_running_loop()
        self._streams: set[BookStream] = set()
        self._heard_from_us = self._idle_since = self._loop.time()
        self._heard_from_client = self._kept_alive_at = self._idle_since
        self._tasks = asyncio.TaskGroup()
        self._keeping: set[asyncio.Task[None]] = set()
        """Tasks that tend the connection until it ends."""
        self._leaving = False

    async def stay(self) -> None:
        """Serve the client until its connection ends."""
        connection, exchange = self._connection, self._exchange
        connection.is_silent = lambda: exchange.faults.lasts(FaultKind.SILENCE)
        connection.on_control = self._receive_control
        exchange.members.add(self)
        counters.CLIENTS.labels(self._venue).inc()
        logger.info("client connected", venue=self._venue, clients=len(exchange.members))
        try:
            async with self._tasks:
                self.perform(self._session.open(self._now_ns()))
                self._keep_alive(exchange.liveness)
                await self._receive()
                self._leaving = True
                for task in self._keeping:
                    task.cancel()
        finally:
            exchange.members.discard(self)
            for stream in self._streams:
                exchange.unsubscribe(self, stream)
            counters.CLIENTS.labels(self._venue).dec()
            logger.info("client left", venue=self._venue, clients=len(exchange.members))

    def push(self, frame: Frame) -> None:
        self._heard_from_us = self._loop.time()
        if not self._connection.push(frame):
            counters.DROPPED_CLIENTS.labels(self._venue).inc()
            logger.warning("client dropped", venue=self._venue, reason="reads too slowly")
            self._connection.reset()

    def describe_order(self, event: OrderEvent) -> Sequence[Action]:
        return self._session.describe_order(event, self._now_ns())

    def announce_close(self) -> None:
        if frame := self._session.announce_close(self._now_ns()):
            self.push(frame)

    def announce_trading(self, symbol: str | None) -> None:
        self.perform(self._session.announce_trading(symbol, self._now_ns()))

    def skip_number(self) -> None:
        """Nothing: no WebSocket of a venue numbers all that it sends."""

    def hang_up(self, code: int, reason: str) -> None:
        if not self._leaving:
            self._tasks.create_task(self._connection.close(code, reason))

    def reset(self) -> None:
        self._connection.reset()

    async def _receive(self) -> None:
        try:
            async for message in self._connection:
                self._heard_from_client = self._loop.time()
                frame = message.encode() if isinstance(message, str) else message
                self.perform(self._session.receive(frame, self._now_ns()))
        except ConnectionClosed:
            return

    def _receive_control(self) -> None:
        self.perform(self._session.receive_control(self._now_ns()))

    def perform(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(frame):
                    self.push(frame)
                case Subscribe(stream):
                    self._streams.add(stream)
                    self._exchange.subscribe(self, action)
                case Unsubscribe(stream):
                    self._streams.discard(stream)
                    self._idle_since = self._loop.time()
                    self._exchange.unsubscribe(self, stream)
                case HangUp(code, reason):
                    self.hang_up(code, reason)
                case KeptAlive():
                    self._kept_alive_at = self._loop.time()
                case Question():
                    self._question(action)
                case AskDesk(request):
                    assert self._exchange.private is not None
                    self._exchange.private.ask(request, self.perform)
                case Later(delay_s, make):
                    self._keep(self._perform_later(delay_s, make))

    def _keep(self, doing: Coroutine[None, None, None]) -> None:
        """Run it until it ends, or the client leaves."""
        task = self._tasks.create_task(doing)
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _perform_later(self, delay_s: float, make: Callable[[int], Iterable[Action]]) -> None:
        await asyncio.sleep(delay_s)
        self.perform(make(self._now_ns()))

    def _keep_alive(self, liveness: KeepaliveRules) -> None:
        if liveness.ping_interval_s is not None:
            self._keep(self._ping(liveness.ping_interval_s, liveness.pong_timeout_s))
        if liveness.heartbeat_interval_s is not None:
            self._keep(self._beat(liveness.heartbeat_interval_s, liveness.heartbeat))
        if liveness.idle_limit_s is not None:
            self._keep(self._expel(self._useless_since, liveness.idle_limit_s, 1000, "idle"))
        if liveness.silence_limit_s is not None:
            since, code = self._silent_since, liveness.silence_code
            self._keep(self._expel(since, liveness.silence_limit_s, code, "silence"))
        if liveness.keepalive_limit_s is not None:
            self._keep(self._expel(self._unkept_since, liveness.keepalive_limit_s, 1000, "Bye"))

    def _question(self, question: Question) -> None:
        self._kept_alive_at = self._loop.time()
        limit_s, code, reason = question.limit_s, question.code, question.reason
        self._keep(self._ask(question))
        self._keep(self._expel(self._unkept_since, limit_s, code, reason))

    async def _ask(self, question: Question) -> None:
        while True:
            await asyncio.sleep(question.every_s)
            self.push(question.write(self._now_ns()))

    async def _ping(self, interval_s: float, timeout_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                answered = await self._connection.ping(str(self._now_ns() // 1_000_000))
            except ConnectionClosed:
                return
            self._loop.call_later(timeout_s, self._expel_mute, answered)

    def _expel_mute(self, answered: Awaitable[float]) -> None:
        if isinstance(answered, asyncio.Future) and not answered.done():
            logger.info("client dropped", venue=self._venue, reason="answers no ping")
            self._connection.reset()

    async def _beat(self, interval_s: float, frame: Frame) -> None:
        while True:
            quiet_s = self._loop.time() - self._heard_from_us
            if quiet_s < interval_s:
                await asyncio.sleep(interval_s - quiet_s)
            elif self._streams:
                self.push(frame)
            else:
                await asyncio.sleep(interval_s)

    def _silent_since(self) -> float:
        return max(self._heard_from_us, self._heard_from_client)

    def _unkept_since(self) -> float:
        return self._kept_alive_at

    def _useless_since(self) -> float:
        return self._loop.time() if self._streams else self._idle_since

    async def _expel(
        self, since: Callable[[], float], limit_s: float, code: int, reason: str
    ) -> None:
        """Hang up once `since` is `limit_s` ago."""
        left_s = limit_s
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = since() + limit_s - self._loop.time()
        self.hang_up(code, reason)

    def _now_ns(self) -> int:
        return self._exchange.now_ns()
