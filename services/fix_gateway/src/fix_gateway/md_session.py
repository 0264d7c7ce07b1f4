"""The application of one customer: requests are taken, and answered as far as the line allows.

What a customer follows waits in mailboxes, of which each holds the newest state. A message is made,
and gets its number, when the connection can take it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from dragonfly_common.clock import Clock
from dragonfly_common.errors import DecodeError
from dragonfly_common.topics import ViewKind
from dragonfly_fix.codec import FixMessage
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.rejects import BusinessReason
from dragonfly_fix.store import MemoryStore, Store
from dragonfly_views import counters as views_counters
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode, check_instrument
from dragonfly_views.relay import ViewKey
from dragonfly_views.tokens import MARKET_DATA, TRADE
from dragonfly_views.views import Views

from fix_gateway import counters
from fix_gateway.customers import CustomerSession
from fix_gateway.requests import (
    SNAPSHOT,
    UNSUBSCRIBE,
    FixBody,
    read_market_data_request,
    refusal,
    request_id,
    symbols_of,
)
from fix_gateway.security_list import (
    NO_INSTRUMENTS,
    NOT_THERE_YET,
    UNSUPPORTED,
    SecurityLists,
    no_list,
)
from fix_gateway.subscriptions import BookTeller, Subscription, Teller, VenueTeller

__all__ = ["AT_ORDERS", "NO_ENGINE", "CustomerLimits", "FixMarket", "MarketDataSession"]

BUSINESS_REASONS: Final[Mapping[RefusalCode, BusinessReason]] = {
    RefusalCode.NOT_FOUND: BusinessReason.UNKNOWN_SECURITY,
    RefusalCode.UNKNOWN_CALLER: BusinessReason.NOT_AUTHORISED,
    RefusalCode.UNAVAILABLE: BusinessReason.NOT_AVAILABLE,
}
NOT_FOR_MARKET_DATA: Final = "the token is not for market data: ask for the scope md"
NOT_FOR_ORDERS: Final = "the token is not for orders: ask for the scope trade"
AT_ORDERS: Final = "this session is for market data: orders go to TargetCompID DRAGONFLY-OE"
NO_ENGINE: Final = "no execution engine is behind this gateway: it serves market data only"
ORDER_MESSAGES: Final = frozenset({b"D", b"F", b"G", b"H", b"q", b"AF"})
"""MsgTypes (35) by which customers place, change, cancel and ask for orders."""
ONE_SYMBOL: Final = b"0"
ALL_SYMBOLS: Final = b"4"
"""SecurityListRequestType (559)."""
REST_S: Final = 0.002
"""Between two messages of answers to one customer. One of a list takes 0.1 ms of a processor:
who asks for them without end takes a twentieth of a processor."""
STATUS_KINDS: Final = (ViewKind.BBO, ViewKind.BOOK, ViewKind.LIQUIDITY)
"""Every view tells the states of its venues: the one with the fewest bytes is taken."""


@dataclass(frozen=True)
class CustomerLimits:
    """The limits of one session."""

    depth: int
    max_instruments: int
    """Instruments that it follows, each as often as it is asked for."""
    max_requests: int = 64
    """Requests that go on, or are being answered."""


@dataclass(frozen=True)
class FixMarket:
    """What all sessions share."""

    views: Mapping[ViewKind, Views]
    limits: CustomerLimits
    clock: Clock
    where_orders_go: str = NO_ENGINE
    """Told to who sends an order here."""

    def begin(self, connection: FixConnection, caller: Caller, comp_id: bytes) -> CustomerSession:
        return MarketDataSession(self, connection, caller)

    @property
    def lists(self) -> Views:
        """Whose aggregators say what venues list."""
        return next(iter(self.views.values()))

    @cached_property
    def security_lists(self) -> SecurityLists:
        return SecurityLists(self.lists.statuses)


class MarketDataSession(CustomerSession):
    """One customer of market data."""

    def __init__(self, market: FixMarket, connection: FixConnection, caller: Caller) -> None:
        super().__init__(connection, caller)
        self._market = market
        self._store = MemoryStore(keeps=False)
        self._requests: dict[tuple[int, bytes], Subscription | asyncio.Task[None]] = {}
        """By the tag of their ids, and the id."""
        self._ready: dict[Subscription, None] = {}
        """Those with mail, in the order of its coming."""
        self._replies: deque[Iterator[FixBody]] = deque()
        self._woken = False
        self._resting = False
        """Whether a message of an answer was written just now."""

    @property
    def store(self) -> Store:
        return self._store

    def on_logged_on(self) -> None:
        """Nothing waits for it."""

    def on_lost(self) -> None:
        now = self._market.clock.monotonic()
        for request in [*self._requests]:
            self._forget(request, now)

    def wake(self) -> None:
        """Write what waits, as soon as all that the bus brought is taken."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._write)

    # What is asked.

    def take(self, message: FixMessage) -> None:
        if message.type in ORDER_MESSAGES:
            if TRADE in self.caller.scopes:
                self.refuse(message, BusinessReason.NOT_AVAILABLE, self._market.where_orders_go)
            else:
                self.refuse(message, BusinessReason.NOT_AUTHORISED, NOT_FOR_ORDERS)
        elif message.type not in {b"V", b"e", b"x"}:
            self.refuse(
                message, BusinessReason.UNSUPPORTED_TYPE, "this message is not for a gateway"
            )
        elif message.type == b"V":
            self._take_market_data_request(message)
        else:
            self._check_scope()
            if message.type == b"e":
                self._take_status_request(message)
            else:
                self._take_list_request(message)

    def _take_market_data_request(self, message: FixMessage) -> None:
        own_id = request_id(message, 262)
        request = (262, own_id)
        try:
            self._check_scope()
            if message.get(263) == UNSUBSCRIBE:
                self._unsubscribe(request)
                return
            market = self._market
            wish = read_market_data_request(
                message,
                depth=market.limits.depth,
                most_symbols=market.limits.max_instruments,
                serves=lambda kind: kind in market.views,
                lists=market.lists.statuses.lists,
            )
            self._check_new(request)
        except CallRefusedError as error:
            self._reject(own_id, error)
            return
        keys = tuple(ViewKey(wish.kind, symbol) for symbol in wish.symbols)
        self._begin(request, self._follow(message, request, BookTeller(own_id, wish), keys))

    def _take_status_request(self, message: FixMessage) -> None:
        request = (324, request_id(message, 324))
        if message.get(263) == UNSUBSCRIBE:
            self._unsubscribe(request)
            return
        self._check_new(request)
        lists = self._market.lists.statuses.lists
        name = check_instrument((message.get(55) or b"").decode(errors="replace"), lists)
        kind = next(kind for kind in STATUS_KINDS if kind in self._market.views)
        teller = VenueTeller(request[1], message.get(207) or b"", self._market.clock)
        keys = (ViewKey(kind, name),)
        self._begin(request, self._follow(message, request, teller, keys))

    def _take_list_request(self, message: FixMessage) -> None:
        request = (320, request_id(message, 320))
        if message.get(559) not in {ONE_SYMBOL, ALL_SYMBOLS}:
            self._say(b"y", no_list(request[1], UNSUPPORTED))
            return
        self._check_new(request)
        name = ""
        if message.get(559) == ONE_SYMBOL:
            name = next(iter(symbols_of(message)), "")
            check_instrument(name, self._market.lists.statuses.lists)
        self._begin(request, self._list(request[1], name))

    # What is answered.

    async def _follow(
        self,
        message: FixMessage,
        request: tuple[int, bytes],
        teller: Teller,
        keys: tuple[ViewKey, ...],
    ) -> None:
        views = self._market.views[keys[0].kind]
        try:
            for key in keys:
                await views.require_listed(key.instrument)
            if message.get(263) == SNAPSHOT:
                states = [(key, await views.state(self.caller, key)) for key in keys]
                self._reply(body for key, state in states for body in teller.tell(key, state))
                return
            subscription = Subscription(teller, views, keys, self._on_mail)
            self._check_room(len(keys))
            self.caller.account.hold(subscription.held(), self.caller.peer)
        except CallRefusedError as error:
            if message.type == b"V":
                self._reject(request[1], error)
            else:
                self.refuse_for(message, error)
            return
        self._requests[request] = subscription
        counters.SUBSCRIPTIONS.inc()
        subscription.join(self._market.clock.monotonic())

    async def _list(self, request: bytes, name: str) -> None:
        views = self._market.lists
        if name:
            try:
                await views.require_listed(name)
            except CallRefusedError as error:
                missing = error.code is RefusalCode.NOT_FOUND
                self._say(b"y", no_list(request, NO_INSTRUMENTS if missing else NOT_THERE_YET))
                return
        elif not (await views.until_known(views.knows_all_lists) or views.statuses.has_list_of("")):
            self._say(b"y", no_list(request, NOT_THERE_YET))
            return
        self._reply((b"y", body) for body in self._market.security_lists.answer(request, name))

    def _check_scope(self) -> None:
        if MARKET_DATA not in self.caller.scopes:
            raise CallRefusedError(RefusalCode.UNKNOWN_CALLER, NOT_FOR_MARKET_DATA)

    def _check_new(self, request: tuple[int, bytes]) -> None:
        if request in self._requests:
            tag, name = request
            raise CallRefusedError(
                RefusalCode.DUPLICATE,
                f"the id ({tag}) {name.decode(errors='replace')} is in use in this session:"
                " end that request first, or take another id",
            )
        most = self._market.limits.max_requests
        if len(self._requests) + len(self._replies) >= most:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"{most} requests of this session go on or wait for their answers: end one",
            )

    def _check_room(self, more: int) -> None:
        most = self._market.limits.max_instruments
        others = sum(
            len(one.keys) for one in self._requests.values() if isinstance(one, Subscription)
        )
        if others + more > most:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"{others + more} instruments in one session: at most {most}; end a request",
            )

    def _begin(self, request: tuple[int, bytes], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._requests[request] = task

        def done(task: asyncio.Task[None]) -> None:
            if self._requests.get(request) is task:
                del self._requests[request]
            if not task.cancelled():
                task.result()

        task.add_done_callback(done)

    def _unsubscribe(self, request: tuple[int, bytes]) -> None:
        if request not in self._requests:
            tag, name = request
            raise CallRefusedError(
                RefusalCode.UNAVAILABLE,
                f"no request ({tag}) {name.decode(errors='replace')} goes on in this session",
            )
        self._forget(request, self._market.clock.monotonic())

    def _forget(self, request: tuple[int, bytes], now: float) -> None:
        ended = self._requests.pop(request)
        if isinstance(ended, asyncio.Task):
            ended.cancel()
            return
        counters.SUBSCRIPTIONS.dec()
        self._ready.pop(ended, None)
        ended.leave(now)
        self.caller.account.release(ended.held())

    # What is written.

    def _on_mail(self, subscription: Subscription) -> None:
        self._ready[subscription] = None
        self.wake()

    def _reply(self, bodies: Iterator[FixBody]) -> None:
        """Write what answers a request once, as fast as the line takes it."""
        self._replies.append(bodies)
        self.wake()

    def _write(self) -> None:
        self._woken = False
        while self._may_write() and self._write_news():
            pass
        if self._replies and not self._resting and self._may_write():
            body = next(self._replies[0], None)
            if body is None:
                self._replies.popleft()
            else:
                self._say(*body)
            self._resting = True
            asyncio.get_running_loop().call_later(REST_S, self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if self._replies:
            self.wake()

    def _may_write(self) -> bool:
        return self.connection.can_write and self.is_active()

    def _write_news(self) -> bool:
        """Write what is new of one view; False where nothing may be written."""
        for subscription in self._ready:
            if subscription.views.current():
                break
        else:
            return False
        # The others have their turn before its next view.
        del self._ready[subscription]
        mail = subscription.mailbox.take()
        if len(subscription.mailbox):
            self._ready[subscription] = None
        if mail is None:
            return True
        if mail.replaced:
            views_counters.REPLACED.inc(mail.replaced)
        try:
            for body in subscription.teller.tell(mail.key, mail.state):
                self._say(*body)
        except DecodeError:
            views_counters.UNREADABLE_VIEWS.inc()
        return True

    def _say(self, msg_type: bytes, body: bytes) -> None:
        if self.is_active():
            self.connection.send(msg_type, body)
            counters.SENT.count += 1

    def _reject(self, request: bytes, error: CallRefusedError) -> None:
        counters.REFUSED.labels("V").inc()
        self._say(b"Y", refusal(request, error))

    def refuse_for(self, message: FixMessage, error: CallRefusedError) -> None:
        self.refuse(message, BUSINESS_REASONS.get(error.code, BusinessReason.OTHER), error.sentence)
