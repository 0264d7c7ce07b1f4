"""Binance's signed requests, alike over REST and the WebSocket API.

Sources: web-socket-api.md ("Trading requests", "Account requests"), errors.md. Codes of refusals
at matching are -2010 and -2011, of filters -1013. From memory, not from its documents: that an
order in a market that is halted gets -1013 with "Market is closed.", and that a key which signs
with HMAC is refused at `session.logon` with -4056.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Final

from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.desk import MatchingDesk
from venue_simulator.trading.orders import (
    Lifetime,
    OrderRefusal,
    OrderStage,
    OrderTicket,
    OrderTrade,
    PlacedOrder,
    RefusalReason,
    TicketSide,
)
from venue_simulator.venue import Books
from venue_simulator.venues.binance.signing import BinanceError, mandatory

__all__ = ["METHODS", "client_id", "order_fields", "order_type", "text"]

Fields = dict[str, object]

_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_DECIMALS: Final = 8
_TYPES: Final = ("LIMIT", "MARKET", "LIMIT_MAKER")
MOST_TRADES: Final = 1000

_CLOSED: Final = (-1013, "Market is closed.")
_REFUSALS: Final[Mapping[RefusalReason, tuple[int, str]]] = {
    RefusalReason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    RefusalReason.HALTED: _CLOSED,
    RefusalReason.POST_ONLY_MODE: _CLOSED,
    RefusalReason.PRICE_STEP: (-1013, "Filter failure: PRICE_FILTER"),
    RefusalReason.AMOUNT_STEP: (-1013, "Filter failure: LOT_SIZE"),
    RefusalReason.TOO_SMALL: (-1013, "Filter failure: LOT_SIZE"),
    RefusalReason.NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    RefusalReason.INSUFFICIENT: (
        -2010,
        "Account has insufficient balance for requested action.",
    ),
    RefusalReason.DUPLICATE_ID: (-2010, "Duplicate order sent."),
    RefusalReason.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    RefusalReason.NO_LIQUIDITY: (-1112, "No orders on book for symbol."),
    RefusalReason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
}
_STAGES: Final = {
    OrderStage.NEW: "NEW",
    OrderStage.PARTIAL: "PARTIALLY_FILLED",
    OrderStage.FILLED: "FILLED",
    OrderStage.CANCELED: "CANCELED",
    OrderStage.EXPIRED: "EXPIRED",
}


class _Request:
    """A request whose signature and time are good."""

    def __init__(
        self, books: Books, account: TradingAccount, params: Mapping[str, str], now_ns: int
    ) -> None:
        self.books = books
        self.desk: MatchingDesk = books.desk
        self.account = account
        self.params = params
        self.now_ns = now_ns

    def symbol(self) -> str:
        symbol = mandatory(self.params, "symbol")
        if self.books.listing(symbol) is None:
            raise BinanceError(-1121, "Invalid symbol.")
        return symbol

    def integer(self, name: str) -> int | None:
        value = self.params.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) < 20):
            raise BinanceError(-1100, f"Illegal characters found in parameter '{name}'.")
        return int(value)

    def order(self, id_name: str) -> PlacedOrder | None:
        """Return the order that the request names, by the venue's id first."""
        symbol, number = self.symbol(), self.integer("orderId")
        if number is not None:
            order = self.desk.order(self.account, number, self.now_ns)
        elif self.params.get(id_name):
            order = self.desk.order_of_client(self.account, self.params[id_name], self.now_ns)
        else:
            raise BinanceError(
                -1102,
                f"Param '{id_name}' or 'orderId' must be sent, but both were empty/null!",
            )
        return order if order is not None and order.ticket.symbol == symbol else None


def place(request: _Request) -> Fields:
    ticket = _ticket(request)
    try:
        order = request.desk.place(request.account, ticket, request.now_ns)
    except OrderRefusal as refusal:
        raise _error(refusal) from None
    kind = order_type(ticket)
    default = "ACK" if kind == "LIMIT_MAKER" else "FULL"
    shape = request.params.get("newOrderRespType", default)
    reply: Fields = {
        "symbol": ticket.symbol,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": client_id(order),
        "transactTime": order.placed_ns // 1_000_000,
    }
    if shape == "ACK":
        return reply
    reply |= order_fields(order) | {"workingTime": order.placed_ns // 1_000_000}
    if shape == "FULL":
        reply["fills"] = [
            {
                "price": text(trade.price),
                "qty": text(trade.amount),
                "commission": text(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.number,
            }
            for trade in order.trades
        ]
    return reply


def test(request: _Request) -> Fields:
    """Check an order without placing it."""
    try:
        request.desk.check(request.account, _ticket(request))
    except OrderRefusal as refusal:
        raise _error(refusal) from None
    return {}


def cancel(request: _Request) -> Fields:
    order = request.order("origClientOrderId")
    cancel_id = request.params.get("newClientOrderId", "")
    try:
        ended = request.desk.cancel(request.account, order, request.now_ns, cancel_id)
    except OrderRefusal as refusal:
        raise _error(refusal) from None
    return _cancelled(ended, cancel_id)


def cancel_all(request: _Request) -> list[Fields]:
    ended = request.desk.cancel_all(request.account, request.now_ns, request.symbol())
    if not ended:
        raise BinanceError(-2011, "Unknown order sent.")
    return [_cancelled(order, "") for order in ended]


def status(request: _Request) -> Fields:
    order = request.order("origClientOrderId")
    if order is None:
        raise BinanceError(-2013, "Order does not exist.")
    return _status_fields(order)


def open_orders(request: _Request) -> list[Fields]:
    symbol = request.symbol() if "symbol" in request.params else None
    orders = request.desk.orders(request.account, request.now_ns)
    return [
        _status_fields(order)
        for order in orders
        if order.is_open and symbol in {None, order.ticket.symbol}
    ]


def all_orders(request: _Request) -> list[Fields]:
    symbol, first = request.symbol(), request.integer("orderId") or 0
    orders = request.desk.orders(request.account, request.now_ns)
    return [
        _status_fields(order)
        for order in orders
        if order.ticket.symbol == symbol and order.number >= first
    ][:MOST_TRADES]


def my_trades(request: _Request) -> list[Fields]:
    symbol, number = request.symbol(), request.integer("orderId")
    first = request.integer("fromId") or 0
    since, until = request.integer("startTime") or 0, request.integer("endTime")
    limit = min(request.integer("limit") or 500, MOST_TRADES)
    found = [
        (order, trade)
        for order in request.desk.orders(request.account, request.now_ns)
        if order.ticket.symbol == symbol and number in {None, order.number}
        for trade in order.trades
        if trade.number >= first
        and since <= trade.ts_ns // 1_000_000
        and (until is None or trade.ts_ns // 1_000_000 <= until)
    ]
    found.sort(key=lambda one: one[1].number)
    chosen = found[:limit] if first or since else found[-limit:]
    return [_trade_fields(order, trade) for order, trade in chosen]


def account_status(request: _Request) -> Fields:
    account = request.account
    shown = account.assets
    if request.params.get("omitZeroBalances") == "true":
        shown = [asset for asset in shown if account.total(asset)]
    rates = {"maker": text(account.maker), "taker": text(account.taker)}
    return {
        "makerCommission": int(account.maker * 10_000),
        "takerCommission": int(account.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {**rates, "buyer": text(Decimal(0)), "seller": text(Decimal(0))},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": request.now_ns // 1_000_000,
        "accountType": "SPOT",
        "balances": [
            {
                "asset": asset,
                "free": text(account.free.get(asset, Decimal(0))),
                "locked": text(account.held.get(asset, Decimal(0))),
            }
            for asset in shown
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def commission(request: _Request) -> Fields:
    account, none = request.account, text(Decimal(0))
    nothing = {"maker": none, "taker": none, "buyer": none, "seller": none}
    rates = {"maker": text(account.maker), "taker": text(account.taker)}
    return {
        "symbol": request.symbol(),
        "standardCommission": {**nothing, **rates},
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": none,
        },
    }


METHODS: Final[Mapping[str, tuple[Callable[[_Request], object], bool]]] = {
    "order.place": (place, True),
    "order.test": (test, False),
    "order.cancel": (cancel, True),
    "openOrders.cancelAll": (cancel_all, True),
    "order.status": (status, False),
    "openOrders.status": (open_orders, False),
    "allOrders": (all_orders, False),
    "myTrades": (my_trades, False),
    "account.status": (account_status, False),
    "account.commission": (commission, False),
}
"""The action of each method of the WebSocket API, and whether it places or cancels."""


def perform(
    method: str, books: Books, account: TradingAccount, params: Mapping[str, str], now_ns: int
) -> object:
    """Do what a signed request asks; return its `result`.

    Raises:
        BinanceError: it breaks a rule.
    """
    return METHODS[method][0](_Request(books, account, params, now_ns))


def order_type(ticket: OrderTicket) -> str:
    if ticket.post_only:
        return "LIMIT_MAKER"
    return "MARKET" if ticket.price is None else "LIMIT"


def client_id(order: PlacedOrder) -> str:
    """Return the client's id, or the one that the venue makes where it gave none."""
    return order.ticket.client_id or f"sim{order.number}"


def order_fields(order: PlacedOrder) -> Fields:
    ticket = order.ticket
    return {
        "price": text(ticket.price or Decimal(0)),
        "origQty": text(ticket.amount),
        "executedQty": text(order.filled),
        "origQuoteOrderQty": text(Decimal(0)),
        "cummulativeQuoteQty": text(order.cost),
        "status": _STAGES[order.stage],
        "timeInForce": ticket.lifetime.upper(),
        "type": order_type(ticket),
        "side": ticket.side.upper(),
        "selfTradePreventionMode": "NONE",
    }


def text(number: Decimal) -> str:
    """Return a number as Binance prints all of them."""
    return f"{number:.{_DECIMALS}f}"


def _status_fields(order: PlacedOrder) -> Fields:
    placed_ms = order.placed_ns // 1_000_000
    return {
        "symbol": order.ticket.symbol,
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": client_id(order),
        **order_fields(order),
        "stopPrice": text(Decimal(0)),
        "icebergQty": text(Decimal(0)),
        "time": placed_ms,
        "updateTime": order.updated_ns // 1_000_000,
        "isWorking": True,
        "workingTime": placed_ms,
    }


def _trade_fields(order: PlacedOrder, trade: OrderTrade) -> Fields:
    return {
        "symbol": order.ticket.symbol,
        "id": trade.number,
        "orderId": order.number,
        "orderListId": -1,
        "price": text(trade.price),
        "qty": text(trade.amount),
        "quoteQty": text(trade.price * trade.amount),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.ts_ns // 1_000_000,
        "isBuyer": order.ticket.side is TicketSide.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _cancelled(order: PlacedOrder, cancel_id: str) -> Fields:
    return {
        "symbol": order.ticket.symbol,
        "origClientOrderId": client_id(order),
        "orderId": order.number,
        "orderListId": -1,
        "clientOrderId": cancel_id or f"cancel{order.number}",
        "transactTime": order.updated_ns // 1_000_000,
        **order_fields(order),
    }


def _ticket(request: _Request) -> OrderTicket:
    params = request.params
    symbol, number = request.symbol(), partial(_number, params)
    side, kind = mandatory(params, "side"), mandatory(params, "type")
    if side not in {"BUY", "SELL"}:
        raise BinanceError(-1117, "Invalid side.")
    if kind not in _TYPES:
        raise BinanceError(-1116, "Invalid orderType.")
    given_id = params.get("newClientOrderId", "")
    if given_id and not _CLIENT_ID.fullmatch(given_id):
        raise BinanceError(
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; "
            "legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        )
    lifetime = Lifetime.GTC
    if kind == "LIMIT":
        wanted = mandatory(params, "timeInForce")
        if wanted not in {"GTC", "IOC", "FOK"}:
            raise BinanceError(-1115, "Invalid timeInForce.")
        lifetime = Lifetime(wanted.lower())
    elif "timeInForce" in params:
        raise BinanceError(-1106, "Parameter 'timeInForce' sent when not required.")
    if kind == "MARKET":
        lifetime = Lifetime.IOC
    return OrderTicket(
        symbol,
        TicketSide(side.lower()),
        number("quantity"),
        None if kind == "MARKET" else number("price"),
        lifetime,
        post_only=kind == "LIMIT_MAKER",
        client_id=given_id,
    )


def _number(params: Mapping[str, str], name: str) -> Decimal:
    value = mandatory(params, name)
    if not _NUMBER.fullmatch(value):
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; "
            "legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
        )
    if len(value.partition(".")[2].rstrip("0")) > _DECIMALS:
        raise BinanceError(-1111, f"Parameter '{name}' has too much precision.")
    return Decimal(value)


def _error(refusal: OrderRefusal) -> BinanceError:
    return BinanceError(*_REFUSALS[refusal.reason])
