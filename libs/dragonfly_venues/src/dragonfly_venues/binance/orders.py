"""Orders as Binance's WebSocket API has them: parameters, replies and events. Pure.

Sources: web-socket-api.md, user-data-stream.md, errors.md, enums.md (2026-07). The reply to an
order of the kind FULL tells its whole fate, as one that is immediate or cancel has no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from dragonfly_common.types import OrderSide

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.orders import (
    AccountState,
    ChildAccepted,
    ChildClosed,
    ChildFill,
    ChildOrder,
    ChildRefused,
    ChildUnresolved,
    OpenOrder,
    OpenOrders,
    OrderEvent,
    OrderReport,
)

__all__ = [
    "BinanceRefusal",
    "BinanceTrade",
    "ListedOrder",
    "Message",
    "account_state",
    "commission",
    "event_of",
    "fills_of",
    "open_orders",
    "order_params",
    "outcome_of_refusal",
    "outcome_of_reply",
    "read_message",
    "read_orders",
    "read_trades",
    "report_of",
    "server_time_ns",
]

Params = dict[str, str | int]

MS_NS: Final = 1_000_000
CLOSED: Final = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"})
DUPLICATE: Final = "Duplicate order sent."
LIMITED: Final = frozenset({429, 418})
UNKNOWN_OUTCOMES: Final = frozenset({-1000, -1001, -1006, -1007, -1008})
"""Codes that do not say that an order was not accepted, whatever status is beside them."""
DEFAULT_WAIT_S: Final = {429: 60.0, 418: 120.0}
"""Where a refusal does not say how long."""


class _Limit(msgspec.Struct, rename="camel"):
    server_time: int | None = None
    retry_after: int | None = None


class BinanceRefusal(msgspec.Struct):
    """An error, as it is told."""

    code: int
    msg: str = ""
    data: _Limit | None = None

    def __str__(self) -> str:
        return f"{self.msg[:200]} (code {self.code})"

    def wait_s(self, status: int) -> float:
        """Return for how long nothing may be asked, 0.0 where this is of one request alone."""
        if status not in LIMITED:
            return 0.0
        data = self.data
        if data is None or data.retry_after is None or data.server_time is None:
            return DEFAULT_WAIT_S[status]
        return max(0.0, (data.retry_after - data.server_time) / 1000)


class Message(msgspec.Struct):
    """A frame: the reply to the request `id`, or an event."""

    id: str | int | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: BinanceRefusal | None = None
    event: msgspec.Raw = msgspec.Raw(b"")


class BinanceTrade(msgspec.Struct, rename="camel"):
    """A trade, as `myTrades` lists it, and without its order as a reply does."""

    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str | None = None
    id: int | None = None
    trade_id: int | None = None
    order_id: int = 0
    time: int = 0


class ListedOrder(msgspec.Struct, rename="camel"):
    """An order, as replies have it."""

    order_id: int
    client_order_id: str = ""
    executed_qty: Decimal = Decimal(0)
    status: str = ""
    transact_time: int = 0
    fills: list[BinanceTrade] = []

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED


class _Execution(msgspec.Struct):
    """An `executionReport`; names are the venue's."""

    s: str
    c: str
    x: str
    X: str
    i: int
    z: Decimal
    C: str = ""
    r: str = "NONE"
    eR: str = ""  # noqa: N815 - the venue's name
    l: Decimal = Decimal(0)  # noqa: E741 - the venue's name
    L: Decimal = Decimal(0)
    n: Decimal = Decimal(0)
    N: str | None = None
    t: int = -1
    T: int = 0


class _Kind(msgspec.Struct):
    e: str = ""


class _Balance(msgspec.Struct):
    asset: str
    free: Decimal


class _Rates(msgspec.Struct):
    taker: Decimal
    buyer: Decimal = Decimal(0)
    seller: Decimal = Decimal(0)

    @property
    def dearer(self) -> Decimal:
        """A taker's rate with that of the dearer side, which comes on top."""
        return self.taker + max(self.buyer, self.seller)


class _Account(msgspec.Struct, rename="camel"):
    balances: list[_Balance]
    commission_rates: _Rates


class _Commission(msgspec.Struct, rename="camel"):
    standard_commission: _Rates
    special_commission: _Rates
    tax_commission: _Rates


class _Time(msgspec.Struct, rename="camel"):
    server_time: int


_MESSAGE: Final = msgspec.json.Decoder(Message)
_ORDER: Final = msgspec.json.Decoder(ListedOrder)
_ORDERS: Final = msgspec.json.Decoder(list[ListedOrder])
_TRADES: Final = msgspec.json.Decoder(list[BinanceTrade])
_EXECUTION: Final = msgspec.json.Decoder(_Execution)
_KIND: Final = msgspec.json.Decoder(_Kind)
_ACCOUNT: Final = msgspec.json.Decoder(_Account)
_COMMISSION: Final = msgspec.json.Decoder(_Commission)
_TIME: Final = msgspec.json.Decoder(_Time)


def order_params(child: ChildOrder) -> Params:
    """Return the parameters of `order.place`, without those of signing."""
    return {
        "symbol": child.venue_symbol.upper(),
        "side": "BUY" if child.side is OrderSide.BUY else "SELL",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": f"{child.amount:f}",
        "price": f"{child.limit:f}",
        "newClientOrderId": child.child_id,
        "newOrderRespType": "FULL",
    }


def read_message(frame: bytes) -> Message:
    """Return what a frame holds.

    Raises:
        FrameError: it is of another shape.
    """
    return read(_MESSAGE, frame)


def event_of(event: bytes) -> tuple[str, Sequence[OrderEvent]]:
    """Return the name of an event of the user's stream, and what it says of orders.

    Raises:
        FrameError: it is of another shape.
    """
    kind = read(_KIND, event).e
    if kind != "executionReport":
        return kind, ()
    told = read(_EXECUTION, event)
    child = told.C or told.c
    events: list[OrderEvent] = []
    if told.x == "NEW":
        events.append(ChildAccepted(child, str(told.i)))
    elif told.x == "TRADE":
        events.append(
            ChildFill(
                child,
                told.s.lower(),
                str(told.t),
                told.L,
                told.l,
                told.n,
                told.N or "",
                told.T * MS_NS,
            )
        )
    if told.X in CLOSED:
        why = told.eR or (told.r if told.r != "NONE" else told.X)
        events.append(ChildClosed(child, told.z, why))
    return kind, events


def outcome_of_reply(child: ChildOrder, result: bytes) -> Sequence[OrderEvent]:
    """Return what a successful reply to `order.place` says.

    Raises:
        FrameError: it is of another shape.
    """
    order = read(_ORDER, result)
    events: list[OrderEvent] = [ChildAccepted(child.child_id, str(order.order_id))]
    events += fills_of(child.venue_symbol, order.fills, {0: child.child_id}, order.transact_time)
    if order.is_closed:
        events.append(ChildClosed(child.child_id, order.executed_qty, order.status))
    return events


def outcome_of_refusal(child: ChildOrder, status: int, refusal: BinanceRefusal) -> OrderEvent:
    """Return what an error says of a placement: refused, or in doubt where it leaves any."""
    is_sure = 400 <= status < 500 and refusal.code not in UNKNOWN_OUTCOMES
    if is_sure and not refusal.msg.startswith(DUPLICATE):
        return ChildRefused(child.child_id, str(refusal.code), refusal.msg[:200])
    return ChildUnresolved(child.child_id, f"the venue answered {status}: {refusal}")


def read_orders(result: bytes) -> list[ListedOrder]:
    """Return the orders of a reply, one or several.

    Raises:
        FrameError: it is of another shape.
    """
    if result.lstrip().startswith(b"["):
        return read(_ORDERS, result)
    return [read(_ORDER, result)]


def read_trades(result: bytes) -> list[BinanceTrade]:
    """Return the trades of a reply.

    Raises:
        FrameError: it is of another shape.
    """
    return read(_TRADES, result)


def fills_of(
    venue_symbol: str,
    trades: Iterable[BinanceTrade],
    children: Mapping[int, str],
    transact_time: int = 0,
) -> list[ChildFill]:
    """Return trades as fills; `children` names the client's id by the venue's of the order."""
    return [
        ChildFill(
            children.get(trade.order_id, ""),
            venue_symbol,
            str(trade.trade_id if trade.id is None else trade.id),
            trade.price,
            trade.qty,
            trade.commission,
            trade.commission_asset or "",
            (trade.time or transact_time) * MS_NS,
        )
        for trade in trades
    ]


def report_of(child: ChildOrder, order: ListedOrder, trades: Iterable[BinanceTrade]) -> OrderReport:
    """Return what an order that was found, and its trades, say of a child."""
    fills = fills_of(child.venue_symbol, trades, {order.order_id: child.child_id})
    return OrderReport(
        child.child_id,
        known=True,
        open=not order.is_closed,
        filled=order.executed_qty,
        fills=tuple(fills),
        venue_order_id=str(order.order_id),
        text=order.status,
    )


def open_orders(orders: Iterable[ListedOrder]) -> OpenOrders:
    return OpenOrders(
        tuple(OpenOrder(order.client_order_id, str(order.order_id)) for order in orders)
    )


def commission(result: bytes) -> Decimal:
    """Return a taker's fee of one symbol, as a share: standard, special and tax together.

    What BNB would save is left out: a fee that is too high costs less than one that is too low.

    Raises:
        FrameError: it is of another shape.
    """
    told = read(_COMMISSION, result)
    parts = (told.standard_commission, told.special_commission, told.tax_commission)
    return sum((part.dearer for part in parts), Decimal(0))


def account_state(result: bytes, fees: Mapping[str, Decimal]) -> AccountState:
    """Return balances and fees: of the symbols of `fees` these, of others the account's usual one.

    Raises:
        FrameError: it is of another shape.
    """
    account = read(_ACCOUNT, result)
    return AccountState(
        {one.asset: one.free for one in account.balances if one.free},
        {"": account.commission_rates.dearer, **fees},
    )


def server_time_ns(result: bytes) -> int:
    """Return the venue's time.

    Raises:
        FrameError: it is of another shape.
    """
    return read(_TIME, result).server_time * MS_NS
