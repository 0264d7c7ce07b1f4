"""Orders as Bitstamp has them: signed REST and private channels, written and read. Pure.

Sources: bitstamp.net/api ("Orders", "Transactions", "Response codes"), bitstamp.net/websocket/v2.
The reply to an order says that it was taken; what it filled is in `order_status`, and comes on the
channels. From memory: that `tid`, the id on `my_trades` and that in `user_transactions` are equal
for one trade, and that an order which was cancelled keeps its `amount_remaining`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec
from dragonfly_common.types import OrderSide
from msgspec import Raw

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.events import FrameError
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
    "BitstampMessage",
    "BitstampRefusal",
    "Transaction",
    "account_state",
    "channels",
    "events_of",
    "failure_of",
    "fills_of",
    "open_orders",
    "order_form",
    "order_path",
    "outcome_of_refusal",
    "read_client_id",
    "read_message",
    "read_placed",
    "read_refusal",
    "read_token",
    "read_transactions",
    "report_of",
]

DUPLICATE: Final = "400.019"
OPEN: Final = "Open"
TRADE: Final = "2"
"""The type of a transaction that is a trade."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHANNELS: Final = ("private-my_orders_", "private-my_trades_")


class BitstampMessage(msgspec.Struct):
    """A frame of the socket."""

    event: str
    channel: str = ""
    data: Raw = Raw(b"{}")


class BitstampRefusal(msgspec.Struct):
    """An error over REST."""

    status: str = ""
    reason: Raw = Raw(b'""')
    code: str = ""
    response_code: str = ""

    @property
    def name(self) -> str:
        """The code, empty where this is no error of the venue's own."""
        if self.status != "error":
            return ""
        return self.response_code or self.code or "error"

    def __str__(self) -> str:
        return f"{bytes(self.reason).decode(errors='replace')[:200]} (code {self.name})"


class _Order(msgspec.Struct):
    id_str: str
    amount_str: Decimal
    amount_at_create: Decimal
    client_order_id: str = ""


class _Trade(msgspec.Struct):
    id: int
    amount: Decimal
    price: Decimal
    fee: Decimal
    microtimestamp: str = "0"
    client_order_id: str = ""


class _Placed(msgspec.Struct):
    id: str | int


class _Status(msgspec.Struct):
    id: int | str
    status: str
    amount_remaining: Decimal
    transactions: list[dict[str, Raw]] = []
    client_order_id: str = ""


class _Open(msgspec.Struct):
    id: str
    client_order_id: str = ""


class Transaction(msgspec.Struct):
    """A trade of the account, whose order's client it does not name."""

    id: str
    order_id: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    quote: str
    ts_event: int


class _Balance(msgspec.Struct):
    currency: str
    available: Decimal


class _Rates(msgspec.Struct):
    taker: Decimal


class _Fees(msgspec.Struct):
    fees: _Rates
    market: str = ""


class _Token(msgspec.Struct):
    token: str
    user_id: int | str


class _Failure(msgspec.Struct):
    code: int | str | None = None
    message: str = ""


_MESSAGE: Final = msgspec.json.Decoder(BitstampMessage)
_REFUSAL: Final = msgspec.json.Decoder(BitstampRefusal)
_ORDER: Final = msgspec.json.Decoder(_Order)
_TRADE: Final = msgspec.json.Decoder(_Trade)
_PLACED: Final = msgspec.json.Decoder(_Placed)
_STATUS: Final = msgspec.json.Decoder(_Status)
_OPEN: Final = msgspec.json.Decoder(list[_Open])
_TRANSACTIONS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_BALANCES: Final = msgspec.json.Decoder(list[_Balance])
_FEES: Final = msgspec.json.Decoder(list[_Fees])
_TOKEN: Final = msgspec.json.Decoder(_Token)
_FAILURE: Final = msgspec.json.Decoder(_Failure)


def order_path(child: ChildOrder) -> str:
    """Return where a placement is posted."""
    side = "buy" if child.side is OrderSide.BUY else "sell"
    return f"/api/v2/{side}/{child.venue_symbol}/"


def order_form(child: ChildOrder) -> dict[str, str]:
    """Return what is posted there."""
    return {
        "amount": f"{child.amount:f}",
        "price": f"{child.limit:f}",
        "client_order_id": child.child_id,
        "ioc_order": "True",
    }


def channels(symbol: str, user: str) -> tuple[str, ...]:
    """Return the names of an account's channels of a market."""
    return tuple(f"{kind}{symbol}-{user}" for kind in _CHANNELS)


def read_message(frame: bytes) -> BitstampMessage:
    """Return what a frame holds.

    Raises:
        FrameError: it is of another shape.
    """
    return read(_MESSAGE, frame)


def events_of(message: BitstampMessage, quotes: Mapping[str, str]) -> Sequence[OrderEvent]:
    """Return what a message of a private channel says.

    Args:
        message: any.
        quotes: by symbol, what fees are paid in.

    Raises:
        FrameError: it is of another shape.
    """
    orders, trades = _CHANNELS
    if message.channel.startswith(trades) and message.event == "trade":
        trade = read(_TRADE, message.data)
        symbol = message.channel.removeprefix(trades).rpartition("-")[0]
        fill = ChildFill(
            trade.client_order_id,
            symbol,
            str(trade.id),
            trade.price,
            trade.amount,
            trade.fee,
            quotes.get(symbol, ""),
            int(trade.microtimestamp) * 1000 if trade.microtimestamp.isdecimal() else None,
        )
        return (fill,)
    if message.channel.startswith(orders) and message.event.startswith("order_"):
        order = read(_ORDER, message.data)
        if message.event == "order_created":
            return (ChildAccepted(order.client_order_id, order.id_str),)
        if message.event == "order_deleted":
            filled = order.amount_at_create - order.amount_str
            why = "cancelled" if order.amount_str else "filled"
            return (ChildClosed(order.client_order_id, filled, why),)
    return ()


def failure_of(message: BitstampMessage) -> str:
    """Return what `bts:error` says.

    Raises:
        FrameError: it is of another shape.
    """
    failure = read(_FAILURE, message.data)
    return failure.message[:200] or f"code {failure.code}"


def read_refusal(body: bytes) -> BitstampRefusal | None:
    """Return the error that a body is, None where it is none of the venue's own."""
    try:
        refusal = read(_REFUSAL, body)
    except FrameError:
        return None
    return refusal if refusal.name else None


def outcome_of_refusal(child: ChildOrder, status: int, refusal: BitstampRefusal) -> OrderEvent:
    """Return what an error says of a placement: refused, or in doubt where it leaves any."""
    if status < 500 and refusal.name != DUPLICATE and not refusal.name.startswith("5"):
        return ChildRefused(child.child_id, refusal.name, str(refusal))
    return ChildUnresolved(child.child_id, f"the venue answered {status}: {refusal}")


def read_placed(reply: bytes) -> str:
    """Return the venue's id of an order that was taken.

    Raises:
        FrameError: it is of another shape.
    """
    return str(read(_PLACED, reply).id)


def report_of(child: ChildOrder, reply: bytes) -> OrderReport:
    """Return what `order_status` says of a child.

    Raises:
        FrameError: it is of another shape.
    """
    told = read(_STATUS, reply)
    base, _, quote = child.instrument.partition("-")
    fills = (
        ChildFill(
            child.child_id,
            child.venue_symbol,
            _text(one, "tid"),
            _number(one, "price"),
            _number(one, base.lower()),
            _number(one, "fee"),
            quote,
            _time_ns(_text(one, "datetime")),
        )
        for one in told.transactions
    )
    return OrderReport(
        child.child_id,
        known=True,
        open=told.status == OPEN,
        filled=child.amount - told.amount_remaining,
        fills=tuple(fills),
        venue_order_id=str(told.id),
        text=told.status,
    )


def read_client_id(reply: bytes) -> str:
    """Return whose order `order_status` is about."""
    return read(_STATUS, reply).client_order_id


def open_orders(reply: bytes) -> OpenOrders:
    """Return open orders.

    Raises:
        FrameError: it is of another shape.
    """
    return OpenOrders(
        tuple(OpenOrder(order.client_order_id, order.id) for order in read(_OPEN, reply))
    )


def read_transactions(venue_symbol: str, reply: bytes) -> tuple[list[Transaction], int]:
    """Return the trades of a page of transactions, and how many there are of all kinds.

    Raises:
        FrameError: it is of another shape.
    """
    page = read(_TRANSACTIONS, reply)
    found: list[Transaction] = []
    for one in page:
        pair = next((name for name in one if name.replace("_", "") == venue_symbol), None)
        if pair is None or _text(one, "type") != TRADE:
            continue
        base, _, quote = pair.partition("_")
        found.append(
            Transaction(
                _text(one, "id"),
                _text(one, "order_id"),
                _number(one, pair),
                abs(_number(one, base)),
                _number(one, "fee"),
                quote.upper(),
                _time_ns(_text(one, "datetime")),
            )
        )
    return found, len(page)


def fills_of(
    venue_symbol: str, trades: Iterable[Transaction], children: Mapping[str, str]
) -> list[ChildFill]:
    """Return trades as fills; `children` names the client's id by the venue's of the order."""
    return [
        ChildFill(
            children.get(one.order_id, ""),
            venue_symbol,
            one.id,
            one.price,
            one.amount,
            one.fee,
            one.quote,
            one.ts_event,
        )
        for one in trades
    ]


def account_state(balances: bytes, fees: bytes) -> AccountState:
    """Return what can be spent, and the fees of all markets; of an unknown one the dearest.

    Raises:
        FrameError: a reply is of another shape.
    """
    rates = {one.market.replace("/", "").lower(): one.fees.taker / 100 for one in read(_FEES, fees)}
    if rates:
        rates[""] = max(rates.values())
    held = read(_BALANCES, balances)
    return AccountState(
        {one.currency.upper(): one.available for one in held if one.available}, rates
    )


def read_token(reply: bytes) -> tuple[str, str]:
    """Return a token for private channels, and the number by which they name the account."""
    told = read(_TOKEN, reply)
    return told.token, str(told.user_id)


def _text(fields: Mapping[str, Raw], name: str) -> str:
    if name not in fields:
        raise FrameError("bad_shape", f"no {name[:60]} in a transaction")
    return bytes(fields[name]).decode().strip('"')


def _number(fields: Mapping[str, Raw], name: str) -> Decimal:
    try:
        return Decimal(_text(fields, name))
    except InvalidOperation:
        raise FrameError("bad_shape", f"{name[:60]} is no number") from None


def _time_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise FrameError("bad_shape", f"{text[:60]!r} is no time") from None
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
