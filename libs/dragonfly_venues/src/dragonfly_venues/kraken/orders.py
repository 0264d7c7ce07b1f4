"""Orders as Kraken has them: WebSocket v2 and private REST, written and read. Pure.

Sources: docs.kraken.com, spot-websocket-v2 (`add_order`, `executions`), REST ("Account data"). The
reply to an order says that it was taken; what it filled comes on `executions`, where a trade says
`partially_filled` although it fills all, and `filled` follows. `exec_id` is the id by which REST
lists the same trade. From memory: the texts of errors beyond their prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Raw

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.decoding.times import NS_PER_US, Time, stamp_us
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
    "KrakenMessage",
    "RestOrder",
    "RestTrade",
    "account_state",
    "events_of",
    "fills_of",
    "is_of",
    "limit_of",
    "open_orders",
    "order_params",
    "outcome",
    "read_message",
    "read_order_page",
    "read_orders",
    "read_result",
    "read_token",
    "read_trade_page",
    "read_trades",
    "report_of",
    "symbol_of_rest",
]

S_NS: Final = 10**9
CLOSED: Final = frozenset({"filled", "canceled", "expired"})
SURE_PREFIXES: Final = (
    "EOrder:",
    "EAPI:",
    "ESession:",
    "EGeneral:Invalid arguments",
    "EGeneral:Permission denied",
    "EGeneral:Temporary lockout",
    "EService:Market in",
    "EService:Deadline elapsed",
    "Currency pair not supported",
)
"""Of errors that leave no doubt: the order was not taken."""
WAITS_S: Final = {
    "EAPI:Rate limit exceeded": 10.0,
    "EOrder:Rate limit exceeded": 10.0,
    "EGeneral:Temporary lockout": 900.0,
}

_OLD_NAMES: Final = {
    **{
        name: f"X{name}" for name in ("ETC", "ETH", "LTC", "MLN", "REP", "XLM", "XMR", "XRP", "ZEC")
    },
    **{name: f"Z{name}" for name in ("AUD", "CAD", "EUR", "GBP", "JPY", "USD")},
    "BTC": "XXBT",
    "DOGE": "XXDG",
}
"""REST's own names of what was there first; of all others it is the usual one."""
_ALTERNATIVES: Final = {"BTC": "XBT", "DOGE": "XDG"}
_USUAL_NAMES: Final = {
    **{old: name for name, old in _OLD_NAMES.items()},
    **{other: name for name, other in _ALTERNATIVES.items()},
}


class KrakenMessage(msgspec.Struct):
    """A frame: the reply to the request `req_id`, or of a channel."""

    req_id: int | None = None
    success: bool | None = None
    error: str | None = None
    channel: str = ""
    data: Raw = Raw(b"[]")
    result: Raw = Raw(b"{}")
    time_out: Time | None = None

    @property
    def time_ns(self) -> int | None:
        """The venue's time when it answered."""
        us = stamp_us(self.time_out)
        return None if us is None else us * NS_PER_US


class _Fee(msgspec.Struct):
    asset: str
    qty: Decimal


class _Execution(msgspec.Struct):
    exec_type: str
    order_id: str
    cl_ord_id: str = ""
    symbol: str = ""
    cum_qty: Decimal = Decimal(0)
    exec_id: str = ""
    last_qty: Decimal = Decimal(0)
    last_price: Decimal = Decimal(0)
    fees: list[_Fee] = []
    reason: str = ""
    timestamp: Time | None = None


class _Taken(msgspec.Struct):
    order_id: str = ""


class RestOrder(msgspec.Struct):
    """An order, as REST lists it."""

    status: str
    vol_exec: Decimal
    cl_ord_id: str | None = None
    reason: str | None = None
    trades: list[str] = []


class RestTrade(msgspec.Struct):
    """A trade, as REST lists it."""

    ordertxid: str
    pair: str
    time: Decimal
    price: Decimal
    vol: Decimal
    fee: Decimal


class _OrderPage(msgspec.Struct):
    open: dict[str, RestOrder] = {}
    closed: dict[str, RestOrder] = {}


class _TradePage(msgspec.Struct):
    trades: dict[str, RestTrade]


class _Balance(msgspec.Struct):
    balance: Decimal
    hold_trade: Decimal = Decimal(0)


class _Tier(msgspec.Struct):
    fee: Decimal


class _Volume(msgspec.Struct):
    fees: dict[str, _Tier] = {}


class _Token(msgspec.Struct):
    token: str


class _Reply(msgspec.Struct):
    error: list[str] = []
    result: Raw = Raw(b"{}")


_MESSAGE: Final = msgspec.json.Decoder(KrakenMessage)
_EXECUTIONS: Final = msgspec.json.Decoder(list[_Execution])
_TAKEN: Final = msgspec.json.Decoder(_Taken)
_REPLY: Final = msgspec.json.Decoder(_Reply)
_ORDER_PAGE: Final = msgspec.json.Decoder(_OrderPage)
_ORDERS: Final = msgspec.json.Decoder(dict[str, RestOrder])
_TRADE_PAGE: Final = msgspec.json.Decoder(_TradePage)
_TRADES: Final = msgspec.json.Decoder(dict[str, RestTrade])
_BALANCES: Final = msgspec.json.Decoder(dict[str, _Balance])
_VOLUME: Final = msgspec.json.Decoder(_Volume)
_TOKEN: Final = msgspec.json.Decoder(_Token)


def order_params(child: ChildOrder, deadline_ns: int) -> dict[str, object]:
    """Return the parameters of `add_order`, without the token; its numbers are plain decimals.

    Args:
        child: what is placed.
        deadline_ns: after which the venue does not take it any more, by its own time.
    """
    deadline = datetime.fromtimestamp(deadline_ns // S_NS, UTC)
    millis = deadline_ns % S_NS // 1_000_000
    return {
        "order_type": "limit",
        "side": child.side.value,
        "order_qty": Raw(f"{child.amount:f}".encode()),
        "symbol": child.venue_symbol,
        "limit_price": Raw(f"{child.limit:f}".encode()),
        "time_in_force": "ioc",
        "cl_ord_id": child.child_id,
        "deadline": f"{deadline:%Y-%m-%dT%H:%M:%S}.{millis:03d}Z",
    }


def read_message(frame: bytes) -> KrakenMessage:
    """Return what a frame holds.

    Raises:
        FrameError: it is of another shape.
    """
    return read(_MESSAGE, frame)


def events_of(data: bytes) -> Sequence[OrderEvent]:
    """Return what a message of `executions` says.

    Raises:
        FrameError: it is of another shape.
    """
    events: list[OrderEvent] = []
    for told in read(_EXECUTIONS, data):
        if told.exec_type == "new":
            events.append(ChildAccepted(told.cl_ord_id, told.order_id))
        elif told.exec_type == "trade":
            events.append(_fill_of(told))
        elif told.exec_type in CLOSED:
            events.append(ChildClosed(told.cl_ord_id, told.cum_qty, told.reason or told.exec_type))
    return events


def outcome(child: ChildOrder, message: KrakenMessage) -> OrderEvent:
    """Return what a reply to `add_order` says: taken, refused, or in doubt.

    Raises:
        FrameError: it is of another shape.
    """
    if message.success:
        return ChildAccepted(child.child_id, read(_TAKEN, message.result).order_id)
    error = (message.error or "an error without a text")[:200]
    if error.startswith(SURE_PREFIXES) and "uplicate" not in error:
        return ChildRefused(child.child_id, error.partition(":")[0], error)
    return ChildUnresolved(child.child_id, f"the venue answered: {error}")


def limit_of(error: str) -> float:
    """Return for how long nothing may be sent after an error, 0.0 where it is of one request."""
    return next((wait_s for text, wait_s in WAITS_S.items() if error.startswith(text)), 0.0)


def read_result(reply: bytes) -> tuple[str, bytes]:
    """Return the error that REST answers, empty where there is none, and the result.

    Raises:
        FrameError: it is of another shape.
    """
    told = read(_REPLY, reply)
    return ", ".join(told.error)[:200], bytes(told.result)


def read_token(result: bytes) -> str:
    return read(_TOKEN, result).token


def read_order_page(result: bytes) -> dict[str, RestOrder]:
    """Return open or closed orders, by the venue's id."""
    page = read(_ORDER_PAGE, result)
    return {**page.open, **page.closed}


def read_orders(result: bytes) -> dict[str, RestOrder]:
    return read(_ORDERS, result)


def read_trade_page(result: bytes) -> dict[str, RestTrade]:
    """Return a page of the history of trades, by their ids."""
    return read(_TRADE_PAGE, result).trades


def read_trades(result: bytes) -> dict[str, RestTrade]:
    return read(_TRADES, result)


def fills_of(
    venue_symbol: str, trades: Mapping[str, RestTrade], children: Mapping[str, str]
) -> list[ChildFill]:
    """Return trades as fills; `children` names the client's id by the venue's of the order.

    REST does not name what a fee was paid in: it is the quote, unless the account chose otherwise.
    """
    quote = venue_symbol.partition("/")[2]
    return [
        ChildFill(
            children.get(trade.ordertxid, ""),
            venue_symbol,
            trade_id,
            trade.price,
            trade.vol,
            trade.fee,
            quote,
            int(trade.time * S_NS),
        )
        for trade_id, trade in trades.items()
    ]


def report_of(
    child: ChildOrder, order_id: str, order: RestOrder, trades: Mapping[str, RestTrade]
) -> OrderReport:
    """Return what an order that was found, and its trades, say of a child."""
    return OrderReport(
        child.child_id,
        known=True,
        open=order.status in {"open", "pending"},
        filled=order.vol_exec,
        fills=tuple(fills_of(child.venue_symbol, trades, {order_id: child.child_id})),
        venue_order_id=order_id,
        text=order.reason or order.status,
    )


def open_orders(orders: Mapping[str, RestOrder]) -> OpenOrders:
    return OpenOrders(
        tuple(OpenOrder(order.cl_ord_id or "", order_id) for order_id, order in orders.items())
    )


def account_state(balances: bytes, volume: bytes, symbols: Iterable[str]) -> AccountState:
    """Return what can be spent, and fees: of `symbols` their own, of others the dearest of these.

    Raises:
        FrameError: a reply is of another shape.
    """
    held = read(_BALANCES, balances)
    tiers = read(_VOLUME, volume).fees
    fees = {
        symbol: tier.fee / 100
        for symbol in symbols
        for pair, tier in tiers.items()
        if is_of(pair, symbol)
    }
    if fees:
        fees[""] = max(fees.values())
    free = {name: one.balance - one.hold_trade for name, one in held.items()}
    return AccountState({_usual(name): amount for name, amount in free.items() if amount}, fees)


def symbol_of_rest(symbol: str) -> str:
    """Return how a pair is asked for over REST (`BTC/USD` → `XBTUSD`)."""
    base, _, quote = symbol.partition("/")
    return _ALTERNATIVES.get(base, base) + _ALTERNATIVES.get(quote, quote)


def is_of(pair: str, symbol: str) -> bool:
    """Say whether REST's name of a pair is that of `symbol`."""
    base, _, quote = symbol.partition("/")
    return any(pair == one + other for one in _names(base) for other in _names(quote))


def _names(asset: str) -> set[str]:
    return {asset, _ALTERNATIVES.get(asset, asset), _OLD_NAMES.get(asset, asset)}


def _usual(name: str) -> str:
    return _USUAL_NAMES.get(name, name)


def _fill_of(told: _Execution) -> ChildFill:
    asset = told.fees[0].asset if told.fees else ""
    us = stamp_us(told.timestamp)
    return ChildFill(
        told.cl_ord_id,
        told.symbol,
        told.exec_id,
        told.last_price,
        told.last_qty,
        sum((fee.qty for fee in told.fees if fee.asset == asset), Decimal(0)),
        asset,
        None if us is None else us * NS_PER_US,
    )
