"""An account at Bitstamp: orders and questions over REST, events on private channels.

The reply to an order does not tell what it filled, which is asked for at once; the channels, of
one market each, tell it besides. There is no deadline that the venue would keep: a request may be
taken for as long as its stamp is good, 150 s, so that only then it is proven that it was not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

from dragonfly_common.clock import Clock

from dragonfly_venues.bitstamp import orders
from dragonfly_venues.bitstamp.signing import auth_headers
from dragonfly_venues.decoding.frames import write
from dragonfly_venues.order_entry.line import LineEntry, RefusedQuestionError
from dragonfly_venues.orders import (
    AccountState,
    ChildAccepted,
    ChildClosed,
    ChildOrder,
    EntrySettings,
    OpenOrders,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from dragonfly_venues.transport import (
    ClosedError,
    Connection,
    HttpReply,
    HttpRequest,
    RejectedError,
    VenueProtocolError,
)

__all__ = ["BitstampEntry"]

STAMP_VALID_S: Final = 150.0
FEES_LAST_S: Final = 3600.0
PAGE: Final = 1000
NO_SUCH_ORDER: Final = "404.002"
S_NS: Final = 10**9


class BitstampEntry(LineEntry):
    """The `OrderEntry` of Bitstamp. Source: bitstamp.net/api (2026)."""

    venue = "bitstamp"
    ws_url = "wss://ws.bitstamp.net"
    ws_path = ""
    rest_url = "https://www.bitstamp.net"
    settles_after_s = STAMP_VALID_S + 5.0
    # 400 a second, and 10,000 in 10 minutes, of all requests.
    places_per_second = 5.0
    questions_per_second = 5.0
    questions_at_once = 50.0

    def __init__(
        self, settings: EntrySettings, clock: Clock, on_event: Callable[[OrderEvent], None]
    ) -> None:
        super().__init__(settings, clock, on_event)
        self._quotes: dict[str, str] = {}
        """Of the markets that are followed: what their fees are paid in."""
        self._fees = b"[]"
        self._fees_until = 0.0

    def query(self, child: ChildOrder) -> None:
        self._note_market(child)
        super().query(child)

    # The line

    async def _sign_on(self) -> None:
        await self._measure()
        await self._follow(*self._quotes)

    async def _measure(self) -> None:
        """Measure the venue's time: what a reply is dated, to the second."""
        await self._spend(1)
        asked_at = self._clock.monotonic()
        reply = await self._post(self._signed("websockets_token", {}, self._clock.now_ns()))
        try:
            dated = parsedate_to_datetime(reply.headers["Date"])
        except (KeyError, ValueError):
            raise VenueProtocolError("its reply is not dated") from None
        self._time.take(asked_at, round(dated.timestamp()) * S_NS + S_NS // 2)

    async def _follow(self, *symbols: str) -> None:
        """Follow the account's events in markets."""
        if not symbols:
            return
        token, user = orders.read_token(await self._call("websockets_token", {}))
        for symbol in symbols:
            for channel in orders.channels(symbol, user):
                data = {"channel": channel, "auth": token}
                await self._request(channel, write({"event": "bts:subscribe", "data": data}))

    def _note_market(self, child: ChildOrder) -> None:
        """Follow a market from its first order on."""
        symbol = child.venue_symbol
        if symbol not in self._quotes:
            self._quotes[symbol] = child.instrument.partition("-")[2]
            if self._connected:
                self._ask(f"follow {symbol}", lambda: self._follow(symbol))

    def _prepare(self, child: ChildOrder, line: Connection) -> Awaitable[None]:
        self._note_market(child)
        request = self._signed(
            orders.order_path(child),
            orders.order_form(child),
            self._time.now_ns(),
            before_sending=lambda: self._check_in_time(child),
        )
        return self._place(child, request)

    async def _place(self, child: ChildOrder, request: HttpRequest) -> None:
        try:
            reply = await self._post(request, within_s=self.answer_limit_s)
        except RejectedError as rejected:
            refusal = orders.read_refusal(rejected.body)
            if refusal is None:
                raise
            self._tell(orders.outcome_of_refusal(child, rejected.status, refusal))
            return
        if (refusal := orders.read_refusal(reply.body)) is not None:
            self._tell(orders.outcome_of_refusal(child, 200, refusal))
            return
        self._tell(ChildAccepted(child.child_id, orders.read_placed(reply.body)))
        self._ask(f"outcome of {child.child_id}", lambda: self._outcome(child))

    async def _outcome(self, child: ChildOrder) -> OrderEvent | None:
        report = await self._query(child)
        self._tell(*report.fills)
        is_over = report.known and not report.open
        return ChildClosed(child.child_id, report.filled, report.text) if is_over else None

    def _take(self, frame: bytes) -> None:
        message = orders.read_message(frame)
        match message.event:
            case "bts:subscription_succeeded":
                self._replied(message.channel, b"")
            case "bts:error":
                raise VenueProtocolError(f"the venue says: {orders.failure_of(message)}")
            case "bts:request_reconnect":
                raise ClosedError("the venue says bts:request_reconnect")
            case _:
                self._tell(*orders.events_of(message, self._quotes))

    def _signed(
        self,
        path: str,
        form: dict[str, str],
        now_ns: int,
        before_sending: Callable[[], None] = lambda: None,
    ) -> HttpRequest:
        path = path if path.startswith("/") else f"/api/v2/{path}/"
        url, body = self._rest_base + path, urlencode(form)
        headers = auth_headers(
            self._keys.key,
            self._keys.secret,
            url.partition("://")[2],
            body,
            str(uuid4()),
            now_ns // 1_000_000,
        )
        return HttpRequest(url, "POST", headers, body.encode(), before_sending)

    async def _call(self, path: str, form: dict[str, str]) -> bytes:
        """Return the reply to a question over REST.

        Raises:
            TransportError: there is none.
        """
        await self._spend(1)
        reply: HttpReply | RejectedError
        try:
            reply = await self._post(self._signed(path, form, self._time.now_ns()))
        except RejectedError as rejected:
            reply = rejected
        refusal = orders.read_refusal(reply.body)
        if refusal is not None:
            wait_s = reply.retry_after_s if isinstance(reply, RejectedError) else 0.0
            raise RefusedQuestionError(refusal.name, str(refusal), wait_s)
        if isinstance(reply, RejectedError):
            raise reply
        return reply.body

    # Questions

    async def _cancel(self, child: ChildOrder) -> OrderEvent | None:
        await self._call("cancel_order", {"client_order_id": child.child_id})
        return await self._outcome(child)

    async def _query(self, child: ChildOrder) -> OrderReport:
        try:
            reply = await self._call("order_status", {"client_order_id": child.child_id})
        except RefusedQuestionError as refused:
            if refused.code != NO_SUCH_ORDER:
                raise
        else:
            return orders.report_of(child, reply)
        rests = any(
            order.client_id == child.child_id for order in (await self._open_orders()).orders
        )
        return OrderReport(child.child_id, known=rests, open=rests)

    async def _trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> TradesSince:
        asked = {"sort": "asc", "limit": str(PAGE)}
        asked |= {"since_id": trade_id} if trade_id else {"since_timestamp": str(since_ns // S_NS)}
        found: dict[str, orders.Transaction] = {}
        read = 0
        while True:
            path = f"user_transactions/{venue_symbol}"
            reply = await self._call(path, {**asked, "offset": str(read)})
            trades, count = orders.read_transactions(venue_symbol, reply)
            found |= {one.id: one for one in trades}
            read += count
            if count < PAGE:
                break
        found.pop(trade_id, None)
        children = {
            order_id: orders.read_client_id(await self._call("order_status", {"id": order_id}))
            for order_id in sorted({one.order_id for one in found.values()})
        }
        fills = orders.fills_of(venue_symbol, found.values(), children)
        return TradesSince(venue_symbol, tuple(fills))

    async def _open_orders(self) -> OpenOrders:
        return orders.open_orders(await self._call("open_orders/all", {}))

    async def _account(self) -> AccountState:
        now = self._clock.monotonic()
        if now > self._fees_until:
            self._fees = await self._call("fees/trading", {})
            self._fees_until = now + FEES_LAST_S
        return orders.account_state(await self._call("account_balances", {}), self._fees)
