"""The private side of one venue at work: its desk between clients, the clock and faults."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from dragonfly_common.clock import Clock

from venue_simulator import counters
from venue_simulator.allowance import Allowance
from venue_simulator.book import Levels, Listing
from venue_simulator.broadcast import Member
from venue_simulator.faults import EVENT_FAULTS, REQUEST_FAULTS, ActiveFaults, FaultKind
from venue_simulator.trading.accounts import AccountPlan, TradingAccount
from venue_simulator.trading.delays import LegDelays, LegDraws
from venue_simulator.trading.desk import DEFAULT_RESILIENCE, MatchingDesk, TradingRules
from venue_simulator.trading.orders import OrderEvent, OrderEventKind
from venue_simulator.trading.requests import SignedRequest
from venue_simulator.venue import FakeVenue

__all__ = ["PrivateSide", "TradingSetup"]

ENGINE_TIMEOUT_S: Final = 10.0
"""After which a venue says that it does not know an order's outcome."""
LOST_REPLY_S: Final = 2 * ENGINE_TIMEOUT_S
"""After which the connection of a request over HTTP, whose reply is lost, is cut."""
RETRY_AFTER_S: Final = {429: 1, 418: 2}
GOING_AWAY: Final = 1001
_IN_ORDER_S: Final = 1e-6
"""Between two that are drawn to pass each other and may not."""

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class TradingSetup:
    """Who trades at the simulated venues, and how fast."""

    accounts: tuple[AccountPlan, ...] = ()
    delays: LegDelays = field(default_factory=LegDelays)
    resilience: Decimal = DEFAULT_RESILIENCE
    """The share of taken volume that each update of the market gives back, 0 to 1."""
    seed: int = 1
    """Of the delays."""


class Floor(Protocol):
    """The exchange, as its private side knows it."""

    venue: FakeVenue
    clock: Clock
    faults: ActiveFaults
    members: set[Member]

    @property
    def halted(self) -> bool: ...

    @property
    def post_only(self) -> bool: ...

    def now_ns(self) -> int: ...

    def listing(self, symbol: str) -> Listing | None: ...

    def market_levels(self, symbol: str) -> tuple[Levels, Levels] | None: ...

    def show(self, symbol: str) -> None: ...

    def note_order(self, event: OrderEvent, account: TradingAccount) -> None: ...


class PrivateSide:
    """Brings signed requests to the desk, replies to clients, and events to followers.

    Requests reach the desk in the order in which they came; so do events the followers. A reply may
    pass an event, and be passed. What reached the desk is done, whether or not its client is there.
    """

    def __init__(self, exchange: Floor, rules: TradingRules, setup: TradingSetup) -> None:
        self._exchange = exchange
        venue = exchange.venue.name
        plans = [plan for plan in setup.accounts if plan.venue == venue]
        first = exchange.clock.now_ns() // 1_000_000
        self.desk = MatchingDesk(rules, self, plans, first, setup.resilience)
        self._orders = Allowance(*rules.most_orders)
        self._draws = LegDraws(setup.delays, f"{setup.seed}/{venue}")
        self._free_at_s = {"request": 0.0, "stream": 0.0}
        self._queues: dict[str, deque[Callable[[], None]]] = {
            leg: deque() for leg in self._free_at_s
        }
        self._timers: set[asyncio.TimerHandle] = set()
        self._waiting: set[asyncio.Future[Any]] = set()
        self._reordered: OrderEvent | None = None
        self._retry_at_ns = 0
        self._closed = False

    def now_ns(self) -> int:
        """Return the time by the venue's clock, ns since the epoch."""
        return self._exchange.now_ns()

    def ask(self, request: SignedRequest[Reply], answer: Callable[[Reply], None]) -> None:
        """Bring a request to the desk, and its reply to `answer`, unless one of them is lost."""
        too_many = request.changes and self._orders.exceeded(self.now_ns())
        if too_many or self._exchange.faults.lasts(FaultKind.ORDERS_429):
            self._answer(request.limit(*self._limit()), answer)
            return
        self._retry_at_ns = 0
        befell = {
            kind
            for kind in REQUEST_FAULTS
            if request.changes and self._exchange.faults.befalls(kind, None)
        }
        if FaultKind.REQUEST_LOST not in befell:
            self._pass("request", partial(self._perform, request, answer, befell))

    async def wait_for(self, request: SignedRequest[Reply]) -> Reply | None:
        """Return the reply to a request, None where it does not come."""
        answered: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._waiting.add(answered)

        def answer(reply: Reply | None) -> None:
            if not answered.done():
                answered.set_result(reply)

        self.ask(request, answer)
        self._later(LOST_REPLY_S, partial(answer, None))
        try:
            return await answered
        finally:
            self._waiting.discard(answered)

    def market_levels(self, symbol: str) -> tuple[Levels, Levels] | None:
        return self._exchange.market_levels(symbol)

    def show(self, symbol: str) -> None:
        self._exchange.show(symbol)

    @property
    def halted(self) -> bool:
        return self._exchange.halted

    @property
    def post_only(self) -> bool:
        return self._exchange.post_only

    def listing(self, symbol: str) -> Listing | None:
        return self._exchange.listing(symbol)

    def befalls(self, kind: FaultKind, instrument: str) -> bool:
        return self._exchange.faults.befalls(kind, instrument)

    def lags(self, instrument: str) -> bool:
        return self._exchange.faults.lasts(FaultKind.ORDERS_LAG, instrument)

    def schedule(self, at_ns: int, act: Callable[[int], None]) -> None:
        # Timers may be early by their resolution: the act is told the time that it is meant for.
        self._later((at_ns - self.now_ns()) / 1e9, lambda: act(max(at_ns, self.now_ns())))

    def tell(self, event: OrderEvent, account: TradingAccount) -> None:
        """Write an event down, then send it to those who follow its account."""
        exchange = self._exchange
        exchange.note_order(event, account)
        counters.ORDER_EVENTS.labels(exchange.venue.name, event.kind).inc()
        listing = exchange.listing(event.order.ticket.symbol)
        instrument = None if listing is None else listing.instrument
        fills = event.kind is OrderEventKind.TRADE
        befell = {
            kind
            for kind in EVENT_FAULTS
            if (fills or kind is not FaultKind.STREAM_CLOSED)
            and exchange.faults.befalls(kind, instrument)
        }
        self._pass("stream", partial(self._send, event, befell))

    def close(self) -> None:
        """Forget what is under way."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        for answered in self._waiting:
            if not answered.done():
                answered.cancel()

    def _limit(self) -> tuple[int, int, int]:
        """Return the status of a refusal, the time, and when the client may come again."""
        now_ns = self.now_ns()
        status = 418 if now_ns < self._retry_at_ns else 429
        self._retry_at_ns = now_ns + RETRY_AFTER_S[status] * 1_000_000_000
        return status, now_ns, self._retry_at_ns

    def _perform(
        self,
        request: SignedRequest[Reply],
        answer: Callable[[Reply], None],
        befell: set[FaultKind],
    ) -> None:
        reply = request.act(self.now_ns())
        if FaultKind.REPLY_LOST in befell:
            return
        if FaultKind.REPLY_LATE in befell:
            self._later(ENGINE_TIMEOUT_S, partial(answer, request.unknown))
        else:
            self._answer(request.failed if FaultKind.REPLY_5XX in befell else reply, answer)

    def _answer(self, reply: Reply, answer: Callable[[Reply], None]) -> None:
        self._later(self._draws.draw_s("reply"), partial(answer, reply))

    def _send(self, event: OrderEvent, befell: set[FaultKind]) -> None:
        if FaultKind.EVENT_REORDERED in befell and self._reordered is None:
            self._reordered = event
            return
        self._send_now(event, befell)
        late, self._reordered = self._reordered, None
        if late is not None:
            self._send_now(late, set())

    def _send_now(self, event: OrderEvent, befell: set[FaultKind]) -> None:
        for member in list(self._exchange.members):
            actions = member.describe_order(event)
            if not actions or FaultKind.EVENT_LOST in befell:
                continue
            if FaultKind.STREAM_CLOSED in befell:
                member.hang_up(GOING_AWAY, "")
                continue
            for _ in range(2 if FaultKind.EVENT_TWICE in befell else 1):
                member.perform(actions)

    def _pass(self, leg: str, act: Callable[[], None]) -> None:
        """Do it after the leg's delay, and not before what went on the same leg earlier.

        Whichever timer of a leg fires, the oldest is done: timers of equal time have no order.
        """
        delay_s, queue = self._draws.draw_s(leg), self._queues[leg]
        if delay_s <= 0 and not queue:
            act()
            return
        queue.append(act)
        now_s = asyncio.get_running_loop().time()
        self._free_at_s[leg] = max(now_s + delay_s, self._free_at_s[leg] + _IN_ORDER_S)
        self._later(self._free_at_s[leg] - now_s, partial(self._do_oldest, leg))

    def _do_oldest(self, leg: str) -> None:
        self._queues[leg].popleft()()

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        if self._closed:
            return
        if delay_s <= 0:
            act()
            return

        def fire() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(delay_s, fire)
        self._timers.add(timer)
