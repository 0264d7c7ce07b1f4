"""The events of Binance's user data stream. Source: user-data-stream.md."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.orders import OrderEvent, OrderEventKind
from venue_simulator.venues.binance.orders import client_id, order_fields, order_type, text

__all__ = ["events"]

Fields = dict[str, object]

_NONE: Final = text(Decimal(0))


def events(event: OrderEvent, account: TradingAccount, now_ns: int) -> list[Fields]:
    """Return the report of an event of an order, and the balances that it leaves."""
    return [_report(event, now_ns), _position(event, account, now_ns)]


def _report(event: OrderEvent, now_ns: int) -> Fields:
    order, trade = event.order, event.trade
    ticket, shown = order.ticket, order_fields(order)
    cancelled = event.kind is OrderEventKind.CANCELED
    made_id = event.cancel_id or f"cancel{order.number}"
    happened_ms = order.updated_ns // 1_000_000
    report: Fields = {
        "e": "executionReport",
        "E": now_ns // 1_000_000,
        "s": ticket.symbol,
        "c": made_id if cancelled else client_id(order),
        "S": ticket.side.upper(),
        "o": order_type(ticket),
        "f": ticket.lifetime.upper(),
        "q": text(ticket.amount),
        "p": shown["price"],
        "P": _NONE,
        "F": _NONE,
        "g": -1,
        "C": client_id(order) if cancelled else "",
        "x": event.kind.upper(),
        "X": shown["status"],
        "r": "NONE",
        "i": order.number,
        "l": text(trade.amount) if trade else _NONE,
        "z": shown["executedQty"],
        "L": text(trade.price) if trade else _NONE,
        "n": text(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": happened_ms,
        "t": trade.number if trade else -1,
        "I": order.number * 1000 + len(order.trades),
        "w": order.is_open,
        "m": trade.is_maker if trade else False,
        "M": False,
        "O": order.placed_ns // 1_000_000,
        "Z": shown["cummulativeQuoteQty"],
        "Y": text(trade.price * trade.amount) if trade else _NONE,
        "Q": _NONE,
        "W": order.placed_ns // 1_000_000,
        "V": "NONE",
    }
    if event.kind is OrderEventKind.EXPIRED:
        report["eR"] = "UNFILLED_IOC_QUANTITY_EXPIRED"
    return report


def _position(event: OrderEvent, account: TradingAccount, now_ns: int) -> Fields:
    return {
        "e": "outboundAccountPosition",
        "E": now_ns // 1_000_000,
        "u": event.order.updated_ns // 1_000_000,
        "B": [
            {
                "a": asset,
                "f": text(account.free.get(asset, Decimal(0))),
                "l": text(account.held.get(asset, Decimal(0))),
            }
            for asset in account.assets
        ],
    }
