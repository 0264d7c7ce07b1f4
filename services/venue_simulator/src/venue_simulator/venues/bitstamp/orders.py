"""Bitstamp's signed requests over REST.

Source: bitstamp.net/api, "Orders", "Account balances", "Fees", "Transactions", "Response codes".
Not simulated are instant, stop, daily and GTD orders, and replacing. From memory, not from the
documents: HTTP statuses (that of the code's first digits), the texts of 404.001 and of a post-only
order that would take, and that what an IOC order leaves is `Canceled`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from venue_simulator.book import Listing
from venue_simulator.trading.accounts import TradingAccount
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

__all__ = ["BitstampError", "SignedCall", "find_method", "price_text", "user_id"]

Fields = dict[str, object]

TOKEN_VALID_S: Final = 60
MOST_TRANSACTIONS: Final = 1000
FIRST_USER_ID: Final = 1001

_REFUSALS: Final[Mapping[RefusalReason, tuple[str, str]]] = {
    RefusalReason.UNKNOWN_SYMBOL: ("404.001", "Market not found."),
    RefusalReason.HALTED: ("400.003", "Trading for provided market is disabled."),
    RefusalReason.POST_ONLY_MODE: ("400.003", "Trading for provided market is disabled."),
    RefusalReason.PRICE_STEP: ("400.021", "Provided price is out of range."),
    RefusalReason.AMOUNT_STEP: ("400.026", "POST parameter(s) is malformed: amount."),
    RefusalReason.TOO_SMALL: (
        "400.020",
        "Provided order size is lower than minimum order value.",
    ),
    RefusalReason.NOTIONAL: (
        "400.020",
        "Provided order size is lower than minimum order value.",
    ),
    RefusalReason.INSUFFICIENT: ("400.009", "Insufficient balance for provided user."),
    RefusalReason.DUPLICATE_ID: ("400.019", "Provided client_order_id already exists."),
    RefusalReason.WOULD_TAKE: ("400.001", "Order would immediately match."),
    RefusalReason.NO_LIQUIDITY: ("400.001", "Unknown validation error."),
    RefusalReason.UNKNOWN_ORDER: ("404.002", "Order not found."),
}
_STAGES: Final = {
    OrderStage.NEW: "Open",
    OrderStage.PARTIAL: "Open",
    OrderStage.FILLED: "Finished",
    OrderStage.CANCELED: "Canceled",
    OrderStage.EXPIRED: "Canceled",
}
_NOT_SIMULATED: Final = ("gtd_order", "daily_order", "limit_price", "stop_price")


class BitstampError(Exception):
    """An error as Bitstamp tells it; its code begins with an HTTP status, or with API."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class SignedCall:
    """A request whose signature is good."""

    def __init__(
        self, books: Books, account: TradingAccount, params: Mapping[str, str], now_ns: int
    ) -> None:
        self.books = books
        self.desk = books.desk
        self.account = account
        self.params = params
        self.now_ns = now_ns

    def is_set(self, name: str) -> bool:
        return self.params.get(name, "").lower() in {"true", "1"}

    def number(self, name: str, missing: str, malformed: str) -> Decimal:
        value = self.params.get(name)
        if not value:
            raise BitstampError(missing, f"POST parameter(s) is missing from request: {name}.")
        whole, _, part = value.partition(".")
        is_plain = value.isascii() and whole.isdecimal() and (part.isdecimal() or value == whole)
        if not is_plain or len(whole) > 12 or len(part) > 18:
            raise BitstampError(malformed, f"POST parameter(s) is malformed: {name}.")
        return Decimal(value)

    def integer(self, name: str, default: int) -> int:
        value = self.params.get(name, "")
        if not value:
            return default
        if not (value.isascii() and value.isdecimal() and len(value) < 20):
            raise BitstampError("400.007", "POST parameter(s) is malformed.")
        return int(value)

    def order(self) -> PlacedOrder | None:
        """Return the order of `id`, or of `client_order_id`."""
        if "id" in self.params:
            return self.desk.order(self.account, self.integer("id", 0), self.now_ns)
        if client_id := self.params.get("client_order_id"):
            return self.desk.order_of_client(self.account, client_id, self.now_ns)
        raise BitstampError("400.014", "POST parameter(s) is missing from request: order_id.")

    def listing(self, order: PlacedOrder) -> Listing:
        listing = self.books.listing(order.ticket.symbol)
        if listing is None:
            raise BitstampError(*_REFUSALS[RefusalReason.UNKNOWN_SYMBOL])
        return listing


Method = Callable[[SignedCall, str], object]
"""Of a call and the pair in its path, empty where it has none."""


def find_method(path: str) -> tuple[Method, str, bool] | None:
    """Return what a path asks for, of which pair, and whether it places or cancels."""
    name = path.removeprefix("/api/v2/").strip("/")
    for prefix, (method, changes) in _METHODS.items():
        if name == prefix or (method in _OF_A_PAIR and name.startswith(f"{prefix}/")):
            return method, name.removeprefix(prefix).strip("/"), changes
    return None


def user_id(books: Books, account: TradingAccount) -> int:
    """Return the number by which private channels name an account."""
    return FIRST_USER_ID + list(books.desk.accounts).index(account.key)


def price_text(listing: Listing, price: Decimal | None) -> str:
    return f"{price or 0:.{listing.price_decimals}f}"


def _place(call: SignedCall, pair: str, side: TicketSide, *, market: bool) -> Fields:
    if any(name in call.params for name in _NOT_SIMULATED):
        raise BitstampError("400.001", "Unknown validation error.")
    chosen = [name for name in ("ioc_order", "fok_order", "moc_order") if call.is_set(name)]
    if len(chosen) > 1:
        raise BitstampError("400.024", "Only one of optional parameters can be set.")
    lifetimes = {"ioc_order": Lifetime.IOC, "fok_order": Lifetime.FOK}
    ticket = OrderTicket(
        pair,
        side,
        call.number("amount", "400.005", "400.026"),
        None if market else call.number("price", "400.006", "400.007"),
        Lifetime.IOC if market else lifetimes.get("".join(chosen), Lifetime.GTC),
        post_only=chosen == ["moc_order"],
        client_id=call.params.get("client_order_id", ""),
    )
    try:
        order = call.desk.place(call.account, ticket, call.now_ns)
    except OrderRefusal as refusal:
        raise BitstampError(*_REFUSALS[refusal.reason]) from None
    listing = call.listing(order)
    reply: Fields = {
        "id": str(order.number),
        "market": _market(listing),
        "datetime": _time(order.placed_ns),
        "type": _type(order),
        "price": price_text(listing, ticket.price or order.average),
        "amount": _amount(ticket.amount),
    }
    return reply | _client_id(order)


def _buy(call: SignedCall, pair: str) -> Fields:
    return _place(call, pair, TicketSide.BUY, market=False)


def _sell(call: SignedCall, pair: str) -> Fields:
    return _place(call, pair, TicketSide.SELL, market=False)


def _buy_at_market(call: SignedCall, pair: str) -> Fields:
    return _place(call, pair, TicketSide.BUY, market=True)


def _sell_at_market(call: SignedCall, pair: str) -> Fields:
    return _place(call, pair, TicketSide.SELL, market=True)


def _cancel(call: SignedCall, _pair: str) -> Fields:
    try:
        order = call.desk.cancel(call.account, call.order(), call.now_ns)
    except OrderRefusal as refusal:
        raise BitstampError(*_REFUSALS[refusal.reason]) from None
    return _cancelled(call, order)


def _cancel_all(call: SignedCall, pair: str) -> Fields:
    ended = call.desk.cancel_all(call.account, call.now_ns, pair or None)
    return {"canceled": [_cancelled(call, order) for order in ended], "success": True}


def _order_status(call: SignedCall, _pair: str) -> Fields:
    order = call.order()
    if order is None:
        raise BitstampError(*_REFUSALS[RefusalReason.UNKNOWN_ORDER])
    listing = call.listing(order)
    told: Fields = {
        "id": order.number,
        "datetime": _time(order.placed_ns),
        "type": _type(order),
        "status": _STAGES[order.stage],
        "market": _market(listing),
        "amount_remaining": _amount(order.left),
    }
    if not call.is_set("omit_transactions"):
        told["transactions"] = [
            {
                "tid": trade.number,
                "price": price_text(listing, trade.price),
                listing.base.lower(): _amount(trade.amount),
                listing.quote.lower(): f"{trade.price * trade.amount:f}",
                "fee": f"{trade.fee:f}",
                "datetime": _time(trade.ts_ns),
                "type": 2,
            }
            for trade in order.trades
        ]
    return told | _client_id(order)


def _open_orders(call: SignedCall, pair: str) -> list[Fields]:
    told = []
    for order in call.desk.orders(call.account, call.now_ns):
        if order.is_open and pair in {"", "all", order.ticket.symbol}:
            listing = call.listing(order)
            fields: Fields = {
                "id": str(order.number),
                "datetime": _time(order.placed_ns),
                "type": _type(order),
                "price": price_text(listing, order.ticket.price),
                "amount": _amount(order.left),
                "amount_at_create": _amount(order.ticket.amount),
                "currency_pair": _market(listing),
                "market": _market(listing),
            }
            told.append(fields | _client_id(order))
    return told


def _user_transactions(call: SignedCall, pair: str) -> list[Fields]:
    since = call.integer("since_id", 0)
    offset, limit = call.integer("offset", 0), call.integer("limit", 100)
    found = [
        (trade, order)
        for order in call.desk.orders(call.account, call.now_ns)
        if pair in {"", order.ticket.symbol}
        for trade in order.trades
        if trade.number >= since
    ]
    newest_first = call.params.get("sort", "desc") != "asc"
    found.sort(key=lambda one: one[0].number, reverse=newest_first)
    page = found[offset:][: min(limit, MOST_TRANSACTIONS)]
    return [_transaction(call, order, trade) for trade, order in page]


def _transaction(call: SignedCall, order: PlacedOrder, trade: OrderTrade) -> Fields:
    listing = call.listing(order)
    base, quote = listing.base.lower(), listing.quote.lower()
    sign = 1 if order.ticket.side is TicketSide.BUY else -1
    return {
        "id": trade.number,
        "order_id": order.number,
        "datetime": _time(trade.ts_ns),
        "type": "2",
        "fee": f"{trade.fee:f}",
        base: _amount(sign * trade.amount),
        quote: f"{-sign * trade.price * trade.amount:f}",
        f"{base}_{quote}": price_text(listing, trade.price),
    }


def _balances(call: SignedCall, _pair: str) -> list[Fields]:
    account = call.account
    return [
        {
            "currency": asset.lower(),
            "total": _amount(account.total(asset)),
            "available": _amount(account.free.get(asset, Decimal(0))),
            "reserved": _amount(account.held.get(asset, Decimal(0))),
        }
        for asset in account.assets
    ]


def _fees(call: SignedCall, pair: str) -> list[Fields]:
    rates = {
        "maker": f"{call.account.maker * 100:.4f}",
        "taker": f"{call.account.taker * 100:.4f}",
    }
    return [
        {"currency_pair": listing.symbol, "market": listing.symbol, "fees": rates}
        for listing in call.books.listings()
        if pair in {"", listing.symbol}
    ]


def _token(call: SignedCall, _pair: str) -> Fields:
    token = call.desk.tokens.give(call.account, call.now_ns, TOKEN_VALID_S)
    whose = user_id(call.books, call.account)
    return {"token": token, "user_id": whose, "valid_sec": TOKEN_VALID_S}


_METHODS: Final[Mapping[str, tuple[Method, bool]]] = {
    "buy/market": (_buy_at_market, True),
    "sell/market": (_sell_at_market, True),
    "buy": (_buy, True),
    "sell": (_sell, True),
    "cancel_order": (_cancel, True),
    "cancel_all_orders": (_cancel_all, True),
    "order_status": (_order_status, False),
    "open_orders": (_open_orders, False),
    "user_transactions": (_user_transactions, False),
    "account_balances": (_balances, False),
    "fees/trading": (_fees, False),
    "websockets_token": (_token, False),
}
_OF_A_PAIR: Final[frozenset[Method]] = frozenset(
    {
        *(_buy_at_market, _sell_at_market, _buy, _sell),
        *(_cancel_all, _open_orders, _user_transactions, _fees),
    }
)


def _cancelled(call: SignedCall, order: PlacedOrder) -> Fields:
    listing = call.listing(order)
    return {
        "id": order.number,
        "amount": _amount(order.left),
        "price": price_text(listing, order.ticket.price),
        "type": int(_type(order)),
        "market": _market(listing),
    }


def _client_id(order: PlacedOrder) -> Fields:
    return {"client_order_id": order.ticket.client_id} if order.ticket.client_id else {}


def _type(order: PlacedOrder) -> str:
    return "0" if order.ticket.side is TicketSide.BUY else "1"


def _market(listing: Listing) -> str:
    return f"{listing.base}/{listing.quote}"


def _amount(amount: Decimal) -> str:
    return f"{amount:.8f}"


def _time(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time_ns // 1000 % 1_000_000:06d}"
