"""An account at Binance Spot: all of it over the WebSocket API.

Each request is signed, whatever kind of key it is; a session that was logged on, which only Ed25519
may, would save a signature of some 50 µs. Orders are stamped with the venue's time and expire on
their way after `recvWindow`; the venue's engine answers within 10 s.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

from dragonfly_common.clock import Clock

from dragonfly_venues.binance import orders
from dragonfly_venues.binance.signing import ed25519_sign, hmac_sign, payload
from dragonfly_venues.decoding.frames import write
from dragonfly_venues.order_entry.line import LineEntry, RefusedQuestionError
from dragonfly_venues.orders import (
    AccountState,
    ChildClosed,
    ChildOrder,
    EntrySettings,
    OpenOrders,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from dragonfly_venues.transport import ClosedError, Connection, UnresponsiveError

__all__ = ["BinanceEntry"]

RECV_WINDOW_MS: Final = 2000
PAGE: Final = 1000
FEES_LAST_S: Final = 3600.0
NO_SUCH_ORDER: Final = "-2013"
WRONG_TIME: Final = -1021

Params = dict[str, str | int]


class BinanceEntry(LineEntry):
    """The `OrderEntry` of Binance Spot. Source: web-socket-api.md (2026-07)."""

    venue = "binance"
    ws_url = "wss://ws-api.binance.com:443"
    ws_path = "/ws-api/v3"
    rest_url = "https://api.binance.com"
    # The engine answers, or knows nothing, after 10 s; recvWindow is tested again before it.
    settles_after_s = 10.0 + RECV_WINDOW_MS / 1000 + 1.0
    # 50 in 10 s.
    places_per_second = 4.0
    # 6000 a minute of an address, which listeners use too.
    questions_per_second = 50.0
    questions_at_once = 500.0

    def __init__(
        self, settings: EntrySettings, clock: Clock, on_event: Callable[[OrderEvent], None]
    ) -> None:
        super().__init__(settings, clock, on_event)
        keys = self._keys
        self._sign = ed25519_sign(keys.ed25519) if keys.ed25519 else hmac_sign(keys.secret)
        self._fees: dict[str, Decimal] = {}
        """By symbol, of those that were traded."""
        self._fees_until: dict[str, float] = {}

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        self._fees_until.setdefault(venue_symbol, -math.inf)
        super().ask_trades(venue_symbol, trade_id, since_ns)

    # The line

    async def _sign_on(self) -> None:
        await self._measure()
        await self._call("userDataStream.subscribe.signature", weight=2)

    async def _measure(self) -> None:
        request_id = str(self._next_id())
        await self._spend(1)
        asked_at = self._clock.monotonic()
        reply = await self._request(request_id, write({"id": request_id, "method": "time"}))
        self._time.take(asked_at, orders.server_time_ns(reply))

    def _prepare(self, child: ChildOrder, line: Connection) -> Awaitable[None]:
        request_id = f"o{self._next_id()}"
        self._fees_until.setdefault(child.venue_symbol, -math.inf)
        text = self._signed(request_id, "order.place", orders.order_params(child))
        return self._write_placement(child, line, request_id, text)

    def _take(self, frame: bytes) -> None:
        message = orders.read_message(frame)
        if bytes(message.event):
            kind, events = orders.event_of(message.event)
            self._tell(*events)
            if kind in {"serverShutdown", "eventStreamTerminated"}:
                raise ClosedError(f"the venue says {kind}")
            return
        request_id, refusal = str(message.id), message.error
        if refusal is not None and (wait_s := refusal.wait_s(message.status)):
            self._be_quiet(wait_s, str(refusal))
        child = self._answered(request_id)
        if child is not None:
            if refusal is None:
                self._tell(*orders.outcome_of_reply(child, message.result))
            else:
                self._tell(orders.outcome_of_refusal(child, message.status, refusal))
        elif refusal is None:
            self._replied(request_id, bytes(message.result))
        else:
            error = RefusedQuestionError(
                str(refusal.code), str(refusal), refusal.wait_s(message.status)
            )
            self._replied(request_id, error)
        if refusal is not None and refusal.code == WRONG_TIME:
            raise UnresponsiveError("clock", str(refusal))

    def _signed(self, request_id: str, method: str, params: Params) -> str:
        """Return a request, stamped with the venue's time and signed.

        Raises:
            UnresponsiveError: that time is not known.
        """
        stamped: Params = {
            **params,
            "recvWindow": RECV_WINDOW_MS,
            "apiKey": self._keys.key,
            "timestamp": self._time.now_ns() // 1_000_000,
        }
        stamped["signature"] = self._sign(payload(stamped))
        return write({"id": request_id, "method": method, "params": stamped})

    async def _call(self, method: str, params: Params | None = None, weight: int = 1) -> bytes:
        request_id = str(self._next_id())
        await self._spend(weight)  # before it is stamped
        return await self._request(request_id, self._signed(request_id, method, params or {}))

    # Questions

    async def _cancel(self, child: ChildOrder) -> OrderEvent:
        named: Params = {
            "symbol": child.venue_symbol.upper(),
            "origClientOrderId": child.child_id,
        }
        (order,) = orders.read_orders(await self._call("order.cancel", named))
        return ChildClosed(child.child_id, order.executed_qty, order.status)

    async def _query(self, child: ChildOrder) -> OrderReport:
        symbol = child.venue_symbol.upper()
        order = await self._find(symbol, child.child_id)
        if order is None:
            return OrderReport(child.child_id, known=False)
        trades = orders.read_trades(
            await self._call("myTrades", {"symbol": symbol, "orderId": order.order_id}, weight=5)
        )
        return orders.report_of(child, order, trades)

    async def _find(self, symbol: str, child_id: str) -> orders.ListedOrder | None:
        """Return an order by the client's id, also where only the list of all has it."""
        named: Params = {"symbol": symbol, "origClientOrderId": child_id}
        try:
            return orders.read_orders(await self._call("order.status", named, weight=4))[0]
        except RefusedQuestionError as refused:
            if refused.code != NO_SUCH_ORDER:
                raise
        listed = await self._call("allOrders", {"symbol": symbol, "limit": PAGE}, weight=20)
        found = [one for one in orders.read_orders(listed) if one.client_order_id == child_id]
        return found[-1] if found else None

    async def _trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> TradesSince:
        symbol = venue_symbol.upper()
        start: Params = (
            {"fromId": int(trade_id) + 1} if trade_id else {"startTime": since_ns // 1_000_000}
        )
        trades: list[orders.BinanceTrade] = []
        while True:
            asked: Params = {"symbol": symbol, "limit": PAGE, **start}
            page = orders.read_trades(await self._call("myTrades", asked, weight=20))
            trades += page
            if len(page) < PAGE:
                break
            start = {"fromId": max(one.id or 0 for one in page) + 1}
        children = await self._children(symbol, {one.order_id for one in trades})
        return TradesSince(venue_symbol, tuple(orders.fills_of(venue_symbol, trades, children)))

    async def _children(self, symbol: str, order_ids: set[int]) -> dict[int, str]:
        """Return the clients' ids of orders, by the venue's."""
        children: dict[int, str] = {}
        first = min(order_ids, default=0)
        while order_ids - children.keys():
            asked: Params = {"symbol": symbol, "orderId": first, "limit": PAGE}
            page = orders.read_orders(await self._call("allOrders", asked, weight=20))
            children.update((one.order_id, one.client_order_id) for one in page)
            if len(page) < PAGE:
                break
            first = page[-1].order_id + 1
        return children

    async def _open_orders(self) -> OpenOrders:
        return orders.open_orders(
            orders.read_orders(await self._call("openOrders.status", weight=80))
        )

    async def _account(self) -> AccountState:
        now = self._clock.monotonic()
        for symbol, until in list(self._fees_until.items()):
            if now > until:
                asked: Params = {"symbol": symbol.upper()}
                result = await self._call("account.commission", asked, weight=20)
                self._fees[symbol] = orders.commission(result)
                self._fees_until[symbol] = now + FEES_LAST_S
        return orders.account_state(await self._call("account.status", weight=20), self._fees)
