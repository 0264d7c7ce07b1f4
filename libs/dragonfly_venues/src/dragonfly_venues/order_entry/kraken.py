"""An account at Kraken: orders and executions over WebSocket v2, questions over REST.

Each order has a deadline after which the venue does not take it. Requests over REST go one after
the other, as their nonces have to rise: a key is for one process.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlencode

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.errors import ConfigError

from dragonfly_venues.decoding.frames import write
from dragonfly_venues.kraken import orders
from dragonfly_venues.kraken.signing import api_sign
from dragonfly_venues.order_entry.line import LineEntry, RefusedQuestionError
from dragonfly_venues.orders import (
    AccountState,
    ChildOrder,
    EntrySettings,
    OpenOrders,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from dragonfly_venues.transport import (
    Connection,
    HttpRequest,
    UnresponsiveError,
    VenueProtocolError,
)

__all__ = ["KrakenEntry"]

DEADLINE_S: Final = 2.0
DEAD_MAN_S: Final = 60
S_NS: Final = 10**9
PAGE: Final = 50
TRADES_AT_ONCE: Final = 20
FEES_LAST_S: Final = 3600.0
GENERAL_SYMBOL: Final = "BTC/USD"
"""Whose fee is taken for that of what was not traded yet."""

logger = structlog.get_logger()


class KrakenEntry(LineEntry):
    """The `OrderEntry` of Kraken's spot markets. Source: docs.kraken.com (2026)."""

    venue = "kraken"
    ws_url = "wss://ws-auth.kraken.com"
    ws_path = "/v2"
    rest_url = "https://api.kraken.com"
    settles_after_s = DEADLINE_S + 2.0 + 1.0
    # Of a pair the counter of orders decays by so many a second, and what is immediate or cancel
    # adds one; of questions 15 or 20 may be asked at once, of which 3 are left for signing on.
    tiers: ClassVar = {
        "starter": (1.0, 0.33, 12.0),
        "intermediate": (2.34, 0.5, 17.0),
        "pro": (3.75, 1.0, 17.0),
    }
    places_per_second, questions_per_second, questions_at_once = tiers["starter"]
    dead_man_s = float(DEAD_MAN_S)

    def __init__(
        self, settings: EntrySettings, clock: Clock, on_event: Callable[[OrderEvent], None]
    ) -> None:
        super().__init__(settings, clock, on_event)
        # Secrets are in closures, which no representation shows.
        self._sign = _signer(self._keys.secret, settings.key_file)
        self._token: Callable[[], str] = str
        self._in_turn = asyncio.Lock()
        self._last_nonce = 0
        self._symbols = {GENERAL_SYMBOL}
        """Whose fees are asked for."""
        self._volume = b"{}"
        self._volume_of: set[str] = set()
        self._volume_until = 0.0

    def arm_dead_man(self) -> None:
        self._ask("dead man's switch", self._arm)

    def query(self, child: ChildOrder) -> None:
        self._symbols.add(child.venue_symbol)
        super().query(child)

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        self._symbols.add(venue_symbol)
        super().ask_trades(venue_symbol, trade_id, since_ns)

    # The line

    async def _sign_on(self) -> None:
        await self._measure()
        # It does not wait behind questions: 3 of the allowance are left for it.
        token = orders.read_token(await self._call("GetWebSocketsToken", {}, weight=0))
        self._token = lambda: token
        followed = {"channel": "executions", "snap_orders": True, "snap_trades": True}
        await self._method("subscribe", followed)

    async def _measure(self) -> None:
        req_id, asked_at = self._next_id(), self._clock.monotonic()
        reply = await self._request(str(req_id), write({"method": "ping", "req_id": req_id}))
        time_ns = orders.read_message(reply).time_ns
        if time_ns is None:
            raise VenueProtocolError("its pong has no time")
        self._time.take(asked_at, time_ns)

    def _prepare(self, child: ChildOrder, line: Connection) -> Awaitable[None]:
        req_id = self._next_id()
        self._symbols.add(child.venue_symbol)
        deadline_ns = self._time.now_ns() + round(DEADLINE_S * S_NS)
        params = {**orders.order_params(child, deadline_ns), "token": self._token()}
        text = write({"method": "add_order", "params": params, "req_id": req_id})
        return self._write_placement(child, line, str(req_id), text)

    def _take(self, frame: bytes) -> None:
        message = orders.read_message(frame)
        if message.channel == "executions":
            self._tell(*orders.events_of(message.data))
        if message.req_id is None:
            return
        error = message.error or ""
        if wait_s := orders.limit_of(error):
            self._be_quiet(wait_s, error)
        child = self._answered(str(message.req_id))
        if child is not None:
            self._tell(orders.outcome(child, message))
        elif error:
            self._replied(str(message.req_id), RefusedQuestionError(error, error, wait_s))
        else:
            self._replied(str(message.req_id), frame)
        if error.startswith("ESession:"):
            raise UnresponsiveError("token", error)

    async def _method(self, method: str, params: dict[str, object]) -> None:
        """Have a request with the token done.

        Raises:
            TransportError: it is not, or not surely.
        """
        req_id = self._next_id()
        told = {"method": method, "params": {**params, "token": self._token()}, "req_id": req_id}
        await self._request(str(req_id), write(told))

    async def _call(self, method: str, params: dict[str, object], weight: int = 1) -> bytes:
        """Return the result of a question over REST.

        Raises:
            TransportError: there is none.
        """
        path = f"/0/private/{method}"
        await self._spend(weight)
        async with self._in_turn:
            self._last_nonce = max(self._last_nonce + 1, self._clock.now_ns() // 1000)
            nonce = str(self._last_nonce)
            body = urlencode({"nonce": nonce, **params})
            headers = {
                "API-Key": self._keys.key,
                "API-Sign": self._sign(path, nonce, body),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            url = self._rest_base + path
            reply = await self._post(HttpRequest(url, "POST", headers, body.encode()))
        error, result = orders.read_result(reply.body)
        if error:
            wait_s = orders.limit_of(error)
            if wait_s:
                self._be_quiet(wait_s, error)
            raise RefusedQuestionError(error, error, wait_s)
        return result

    # Questions

    async def _arm(self) -> None:
        await self._method("cancel_all_orders_after", {"timeout": DEAD_MAN_S})
        logger.debug("dead man's switch armed", venue=self.venue, seconds=DEAD_MAN_S)

    async def _cancel(self, child: ChildOrder) -> None:
        await self._method("cancel_order", {"cl_ord_id": [child.child_id]})

    async def _query(self, child: ChildOrder) -> OrderReport:
        named: dict[str, object] = {"cl_ord_id": child.child_id, "trades": "true"}
        # In this order: what is not open any more when the first is asked is in the second.
        for method, weight in (("OpenOrders", 1), ("ClosedOrders", 2)):
            page = orders.read_order_page(await self._call(method, named, weight))
            for order_id, order in page.items():
                if order.cl_ord_id == child.child_id:
                    trades = await self._trades_of(order)
                    return orders.report_of(child, order_id, order, trades)
        return OrderReport(child.child_id, known=False)

    async def _trades_of(self, order: orders.RestOrder) -> dict[str, orders.RestTrade]:
        trades: dict[str, orders.RestTrade] = {}
        for first in range(0, len(order.trades), TRADES_AT_ONCE):
            named = ",".join(order.trades[first : first + TRADES_AT_ONCE])
            trades |= orders.read_trades(await self._call("QueryTrades", {"txid": named}))
        return trades

    async def _trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> TradesSince:
        """Return trades, read newest first until `trade_id` is there."""
        trades: dict[str, orders.RestTrade] = {}
        while True:
            asked: dict[str, object] = {"start": since_ns // S_NS, "ofs": len(trades)}
            page = orders.read_trade_page(await self._call("TradesHistory", asked, weight=2))
            known = len(trades)
            trades |= page
            if len(page) < PAGE or trade_id in page or len(trades) == known:
                break
        trades.pop(trade_id, None)
        trades = {name: one for name, one in trades.items() if orders.is_of(one.pair, venue_symbol)}
        names = sorted({one.ordertxid for one in trades.values()})
        children: dict[str, str] = {}
        for first in range(0, len(names), PAGE):
            named = ",".join(names[first : first + PAGE])
            found = orders.read_orders(await self._call("QueryOrders", {"txid": named}))
            children |= {order_id: order.cl_ord_id or "" for order_id, order in found.items()}
        return TradesSince(venue_symbol, tuple(orders.fills_of(venue_symbol, trades, children)))

    async def _open_orders(self) -> OpenOrders:
        return orders.open_orders(orders.read_order_page(await self._call("OpenOrders", {})))

    async def _account(self) -> AccountState:
        now = self._clock.monotonic()
        if now > self._volume_until or not self._symbols <= self._volume_of:
            symbols = set(self._symbols)
            pairs = ",".join(orders.symbol_of_rest(symbol) for symbol in sorted(symbols))
            self._volume = await self._call("TradeVolume", {"pair": pairs})
            self._volume_of, self._volume_until = symbols, now + FEES_LAST_S
        balances = await self._call("BalanceEx", {})
        return orders.account_state(balances, self._volume, self._volume_of)


def _signer(secret: str, where: Path | None) -> Callable[[str, str, str], str]:
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigError(f"{where} holds no secret of kraken: write it as it was given, in base64")
    return lambda path, nonce, body: api_sign(key, path, nonce, body)
