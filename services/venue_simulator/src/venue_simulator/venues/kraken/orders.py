"""Kraken's orders, and how it names them.

Sources: docs.kraken.com, spot-websocket-v2 `add_order`, `cancel_order`, `cancel_after`, and
`get-websockets-token` (a token lives on while the connection that used it does). From memory, not
from the documents: the default and bounds of `deadline`, and the texts for a price with too many
decimals, an amount with too many, a symbol that is none and a duplicate `cl_ord_id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.orders import (
    Lifetime,
    OrderRefusal,
    OrderTicket,
    PlacedOrder,
    RefusalReason,
    TicketSide,
)
from venue_simulator.venue import Books

__all__ = [
    "KrakenError",
    "add_order",
    "find_order",
    "order_id",
    "order_number",
    "refusal_text",
    "trade_id",
]

Params = Mapping[str, object]

DEFAULT_DEADLINE_NS: Final = 5_000_000_000
LEAST_DEADLINE_NS: Final = 500_000_000
MOST_DEADLINE_NS: Final = 60_000_000_000

_CLIENT_ID: Final = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18}", re.IGNORECASE
)
_ORDER_ID: Final = re.compile(r"O([0-9A-Z]{5})-([0-9A-Z]{5})-([0-9A-Z]{6})")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_REFUSALS: Final[Mapping[RefusalReason, str]] = {
    RefusalReason.UNKNOWN_SYMBOL: "Currency pair not supported {symbol}",
    RefusalReason.HALTED: "EService:Market in cancel_only mode",
    RefusalReason.POST_ONLY_MODE: "EService:Market in post_only mode",
    RefusalReason.PRICE_STEP: "EOrder:Invalid price:{symbol} price can only be specified up to"
    " {decimals} decimals.",
    RefusalReason.AMOUNT_STEP: "EGeneral:Invalid arguments:volume",
    RefusalReason.TOO_SMALL: "EOrder:Order minimum not met",
    RefusalReason.NOTIONAL: "EOrder:Cost minimum not met",
    RefusalReason.INSUFFICIENT: "EOrder:Insufficient funds",
    RefusalReason.DUPLICATE_ID: "EOrder:Duplicate client order id",
    RefusalReason.WOULD_TAKE: "EOrder:Post only order",
    RefusalReason.NO_LIQUIDITY: "EOrder:Insufficient liquidity",
    RefusalReason.UNKNOWN_ORDER: "EOrder:Unknown order",
}


class KrakenError(Exception):
    """An error as Kraken tells it: one text."""


def add_order(
    books: Books, account: TradingAccount, params: Params, received_ns: int, now_ns: int
) -> PlacedOrder | None:
    """Place what `add_order` asks for; None where it is to be validated only.

    Raises:
        KrakenError: it breaks a rule.
    """
    _check_deadline(params.get("deadline"), received_ns, now_ns)
    ticket = _ticket(params)
    if books.halted:
        raise KrakenError("EService:Unavailable")
    try:
        if params.get("validate") is True:
            books.desk.check(account, ticket)
            return None
        return books.desk.place(account, ticket, now_ns)
    except OrderRefusal as refusal:
        raise KrakenError(refusal_text(refusal, books, ticket.symbol)) from None


def find_order(
    books: Books, account: TradingAccount, named: object, now_ns: int, *, by_client: bool
) -> PlacedOrder | None:
    """Return the order of an `order_id` or a `cl_ord_id`."""
    if not isinstance(named, str):
        return None
    if by_client:
        return books.desk.order_of_client(account, named, now_ns)
    number = order_number(named)
    return None if number is None else books.desk.order(account, number, now_ns)


def refusal_text(refusal: OrderRefusal, books: Books, symbol: str = "") -> str:
    """Return Kraken's words for a refusal."""
    listing = books.listing(symbol)
    decimals = 0 if listing is None else listing.tick_decimals
    return _REFUSALS[refusal.reason].format(symbol=symbol, decimals=decimals)


def order_id(number: int) -> str:
    return f"O{_spell(number)}"


def trade_id(number: int) -> str:
    return f"T{_spell(number)}"


def order_number(named: str) -> int | None:
    """Return the number of an order that is named as Kraken names them."""
    match = _ORDER_ID.fullmatch(named)
    return None if match is None else int("".join(match.groups()), 36)


def _spell(number: int) -> str:
    text = ""
    for _ in range(16):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return f"{text[:5]}-{text[5:10]}-{text[10:]}"


def _ticket(params: Params) -> OrderTicket:
    symbol, kind, side = params.get("symbol"), params.get("order_type"), params.get("side")
    lifetime, client_id = params.get("time_in_force", "gtc"), params.get("cl_ord_id", "")
    if not isinstance(symbol, str):
        raise KrakenError("EGeneral:Invalid arguments:symbol")
    if kind not in {"limit", "market"}:
        raise KrakenError("EGeneral:Invalid arguments:ordertype")
    if side not in {"buy", "sell"}:
        raise KrakenError("EGeneral:Invalid arguments:type")
    if lifetime not in {"gtc", "ioc", "fok"}:
        raise KrakenError("EGeneral:Invalid arguments:timeinforce")
    if not isinstance(client_id, str) or (client_id and not _CLIENT_ID.fullmatch(client_id)):
        raise KrakenError("EGeneral:Invalid arguments:cl_ord_id")
    return OrderTicket(
        symbol,
        TicketSide(str(side)),
        _number(params, "order_qty", "volume"),
        None if kind == "market" else _number(params, "limit_price", "price"),
        Lifetime.IOC if kind == "market" else Lifetime(str(lifetime)),
        post_only=params.get("post_only") is True,
        client_id=client_id,
    )


def _number(params: Params, name: str, word: str) -> Decimal:
    value = params.get(name)
    is_written = isinstance(value, int | Decimal | str) and not isinstance(value, bool)
    try:
        number = Decimal(str(value) if is_written else "nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or not 0 < number < Decimal(10) ** 12 or number.adjusted() < -18:
        raise KrakenError(f"EGeneral:Invalid arguments:{word}")
    return number


def _check_deadline(named: object, received_ns: int, now_ns: int) -> None:
    deadline_ns = received_ns + DEFAULT_DEADLINE_NS
    if named is not None:
        try:
            deadline = datetime.fromisoformat(str(named))
            deadline_ns = int(deadline.timestamp() * 1_000_000) * 1000
        except (ValueError, OverflowError):
            raise KrakenError("EGeneral:Invalid arguments:deadline") from None
        if deadline.tzinfo is None or deadline_ns > received_ns + MOST_DEADLINE_NS:
            raise KrakenError("EGeneral:Invalid arguments:deadline")
        if received_ns < deadline_ns < received_ns + LEAST_DEADLINE_NS:
            raise KrakenError("EGeneral:Invalid arguments:deadline")
    if now_ns > deadline_ns:
        raise KrakenError("EService:Deadline elapsed")
