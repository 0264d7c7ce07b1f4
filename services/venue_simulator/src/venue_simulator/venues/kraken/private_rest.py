"""Kraken's private REST: tokens and what reconciling needs.

Sources: docs.kraken.com REST "Account data", "Get Websockets Token"; the signature is checked
against the documented vector. HTTP status is 200 whatever is wrong. From memory: the text of an
order that `QueryOrders` does not find.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from venue_simulator.book import Listing
from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.orders import OrderStage, OrderTrade, PlacedOrder
from venue_simulator.trading.requests import SignedRequest
from venue_simulator.venue import Books, RestReply, RestRequest
from venue_simulator.venues.kraken.listing import rest_asset, rest_name
from venue_simulator.venues.kraken.orders import KrakenError, order_id, order_number, trade_id

__all__ = ["signature", "signed"]

Fields = dict[str, object]

PRIVATE_PATH: Final = "/0/private/"
TOKEN_VALID_S: Final = 900
PAGE: Final = 50

_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_STATUSES: Final = {
    OrderStage.NEW: "open",
    OrderStage.PARTIAL: "open",
    OrderStage.FILLED: "closed",
    OrderStage.CANCELED: "canceled",
    OrderStage.EXPIRED: "canceled",
}


def signed(request: RestRequest, books: Books) -> SignedRequest[RestReply] | None:
    """Return a private request for the venue's desk; none of these places or cancels."""
    if not request.path.startswith(PRIVATE_PATH):
        return None
    return SignedRequest(
        partial(_perform, request, books),
        changes=False,
        unknown=_error("EService:Timeout"),
        failed=_error("EService:Unavailable"),
        limit=lambda status, _now_ns, _retry_at_ns: _error(
            "EGeneral:Temporary lockout" if status == 418 else "EAPI:Rate limit exceeded"
        ),
    )


def signature(secret: str, path: str, nonce: str, body: bytes) -> str:
    """Return `API-Sign` of a request: base64 of HMAC-SHA512 over path and SHA256(nonce, body)."""
    digest = hashlib.sha256(nonce.encode() + body).digest()
    try:
        key = base64.b64decode(secret)
    except binascii.Error:
        raise KrakenError("EAPI:Invalid key") from None
    made = hmac.new(key, path.encode() + digest, hashlib.sha512).digest()
    return base64.b64encode(made).decode()


class _Asked:
    """A private request whose signature and nonce are good."""

    def __init__(
        self, books: Books, account: TradingAccount, params: Mapping[str, str], now_ns: int
    ) -> None:
        self.books = books
        self.account = account
        self.params = params
        self.now_ns = now_ns

    def orders(self) -> list[PlacedOrder]:
        """Return the account's orders, those of `cl_ord_id` where that is given; newest first."""
        named = self.params.get("cl_ord_id")
        found = self.books.desk.orders(self.account, self.now_ns)
        return [one for one in reversed(found) if named in {None, one.ticket.client_id}]

    def offset(self) -> int:
        text = self.params.get("ofs", "0")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0

    def is_within(self, time_ns: int) -> bool:
        """Return whether a time is between `start` and `end`, seconds."""
        bounds = [self.params.get(name) for name in ("start", "end")]
        try:
            start, end = (None if text is None else Decimal(text) for text in bounds)
        except ArithmeticError:
            raise KrakenError("EGeneral:Invalid arguments") from None
        time_s = Decimal(time_ns) / 1_000_000_000
        return (start is None or time_s > start) and (end is None or time_s <= end)


def _perform(request: RestRequest, books: Books, now_ns: int) -> RestReply:
    try:
        method = request.path.removeprefix(PRIVATE_PATH)
        params = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        account = _authenticate(request, books, params)
        if method not in _METHODS:
            return _error("EGeneral:Unknown method")
        return _reply(_METHODS[method](_Asked(books, account, params, now_ns)))
    except KrakenError as error:
        return _error(str(error))


def _authenticate(request: RestRequest, books: Books, params: Mapping[str, str]) -> TradingAccount:
    account = books.desk.accounts.get(request.headers.get("api-key", ""))
    if account is None:
        raise KrakenError("EAPI:Invalid key")
    nonce = params.get("nonce", "")
    made = signature(account.secret, request.path, nonce, request.body)
    if not hmac.compare_digest(made.encode(), request.headers.get("api-sign", "").encode()):
        raise KrakenError("EAPI:Invalid signature")
    rises = nonce.isascii() and nonce.isdecimal() and len(nonce) < 20
    if not rises or int(nonce) <= account.last_nonce:
        raise KrakenError("EAPI:Invalid nonce")
    account.last_nonce = int(nonce)
    return account


def _token(asked: _Asked) -> Fields:
    token = asked.books.desk.tokens.give(asked.account, asked.now_ns, TOKEN_VALID_S)
    return {"token": token, "expires": TOKEN_VALID_S}


def _balance(asked: _Asked) -> Fields:
    account = asked.account
    return {rest_asset(asset): f"{account.total(asset):.10f}" for asset in account.assets}


def _balance_extended(asked: _Asked) -> Fields:
    account = asked.account
    return {
        rest_asset(asset): {
            "balance": f"{account.total(asset):.10f}",
            "hold_trade": f"{account.held.get(asset, Decimal(0)):.10f}",
        }
        for asset in account.assets
    }


def _open_orders(asked: _Asked) -> Fields:
    return {"open": _by_id(asked, [order for order in asked.orders() if order.is_open])}


def _closed_orders(asked: _Asked) -> Fields:
    found = [
        order for order in asked.orders() if not order.is_open and asked.is_within(order.updated_ns)
    ]
    page = found[asked.offset() :][:PAGE]
    return {"closed": _by_id(asked, page), "count": len(found)}


def _query_orders(asked: _Asked) -> Fields:
    found = []
    for named in asked.params.get("txid", "").split(","):
        number = order_number(named)
        order = (
            None if number is None else asked.books.desk.order(asked.account, number, asked.now_ns)
        )
        if order is None:
            raise KrakenError("EOrder:Invalid order")
        found.append(order)
    return _by_id(asked, found)


def _trades(asked: _Asked) -> list[tuple[PlacedOrder, OrderTrade]]:
    """Return the account's trades, newest first."""
    found = [(order, trade) for order in asked.orders() for trade in order.trades]
    return sorted(found, key=lambda one: one[1].number, reverse=True)


def _trades_history(asked: _Asked) -> Fields:
    found = [one for one in _trades(asked) if asked.is_within(one[1].ts_ns)]
    page = found[asked.offset() :][:PAGE]
    told = {trade_id(trade.number): _trade(asked, order, trade) for order, trade in page}
    return {"trades": told, "count": len(found)}


def _query_trades(asked: _Asked) -> Fields:
    wanted = asked.params.get("txid", "").split(",")
    return {
        trade_id(trade.number): _trade(asked, order, trade)
        for order, trade in _trades(asked)
        if trade_id(trade.number) in wanted
    }


def _trade_volume(asked: _Asked) -> Fields:
    pairs = asked.params.get("pair", "").split(",")
    listings = [
        listing
        for listing in asked.books.listings()
        if {_key(listing), _altname(listing), listing.symbol} & set(pairs)
    ]
    account = asked.account
    return {
        "currency": "ZUSD",
        "volume": "0.0000",
        "fees": {_key(listing): _tier(account.taker) for listing in listings},
        "fees_maker": {_key(listing): _tier(account.maker) for listing in listings},
    }


_METHODS: Final[Mapping[str, Callable[[_Asked], Fields]]] = {
    "GetWebSocketsToken": _token,
    "Balance": _balance,
    "BalanceEx": _balance_extended,
    "OpenOrders": _open_orders,
    "ClosedOrders": _closed_orders,
    "QueryOrders": _query_orders,
    "TradesHistory": _trades_history,
    "QueryTrades": _query_trades,
    "TradeVolume": _trade_volume,
}


def _by_id(asked: _Asked, orders: list[PlacedOrder]) -> Fields:
    with_trades = asked.params.get("trades") == "true"
    return {
        order_id(order.number): _order(asked, order, with_trades=with_trades) for order in orders
    }


def _order(asked: _Asked, order: PlacedOrder, *, with_trades: bool) -> Fields:
    ticket = order.ticket
    listing = asked.books.listing(ticket.symbol)
    pair = ticket.symbol if listing is None else _altname(listing)
    kind = "market" if ticket.price is None else "limit"
    price = str(ticket.price or 0)
    at = "market" if ticket.price is None else f"limit {price}"
    told: Fields = {
        "refid": None,
        "userref": 0,
        "cl_ord_id": ticket.client_id or None,
        "status": _STATUSES[order.stage],
        "opentm": order.placed_ns / 1e9,
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": pair,
            "type": ticket.side.value,
            "ordertype": kind,
            "price": price,
            "price2": "0",
            "leverage": "none",
            "order": f"{ticket.side} {ticket.amount:.8f} {pair} @ {at}",
            "close": "",
        },
        "vol": f"{ticket.amount:.8f}",
        "vol_exec": f"{order.filled:.8f}",
        "cost": f"{order.cost:f}",
        "fee": f"{order.fee:f}",
        "price": f"{order.average:.8f}",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq,post" if ticket.post_only else "fciq",
    }
    if not order.is_open:
        told["closetm"] = order.updated_ns / 1e9
        told["reason"] = None if order.stage is OrderStage.FILLED else "User requested"
    if with_trades:
        told["trades"] = [trade_id(trade.number) for trade in order.trades]
    return told


def _trade(asked: _Asked, order: PlacedOrder, trade: OrderTrade) -> Fields:
    listing = asked.books.listing(order.ticket.symbol)
    return {
        "ordertxid": order_id(order.number),
        "postxid": "",
        "pair": order.ticket.symbol if listing is None else _key(listing),
        "time": trade.ts_ns / 1e9,
        "type": order.ticket.side.value,
        "ordertype": "market" if order.ticket.price is None else "limit",
        "price": f"{trade.price:f}",
        "cost": f"{trade.price * trade.amount:f}",
        "fee": f"{trade.fee:f}",
        "vol": f"{trade.amount:.8f}",
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "trade_id": trade.number,
        "maker": trade.is_maker,
    }


def _tier(rate: Decimal) -> Fields:
    percent = f"{rate * 100:.4f}"
    return {
        "fee": percent,
        "minfee": percent,
        "maxfee": percent,
        "nextfee": None,
        "nextvolume": None,
        "tiervolume": "0.0000",
    }


def _key(listing: Listing) -> str:
    return rest_asset(listing.base) + rest_asset(listing.quote)


def _altname(listing: Listing) -> str:
    return rest_name(listing.base) + rest_name(listing.quote)


def _reply(result: Fields) -> RestReply:
    return RestReply(msgspec.json.encode({"error": [], "result": result}), headers=_JSON)


def _error(text: str) -> RestReply:
    return RestReply(msgspec.json.encode({"error": [text]}), headers=_JSON)
