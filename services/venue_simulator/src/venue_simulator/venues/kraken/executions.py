"""The messages of Kraken's channel `executions`.

Source: docs.kraken.com, spot-websocket-v2 `executions`. `pending_new` comes before `new`; a trade
says `partially_filled` although it fills the whole order, and `filled` follows. From memory: that
messages are numbered connection by connection, and that what an IOC order leaves is `canceled`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from venue_simulator.times import rfc3339
from venue_simulator.trading.orders import (
    OrderEvent,
    OrderEventKind,
    OrderStage,
    OrderTrade,
    PlacedOrder,
)
from venue_simulator.venues.kraken.orders import order_id, trade_id

__all__ = ["describe", "frame", "snapshot"]

Fields = dict[str, object]

SNAPSHOT_TRADES: Final = 50
OPENS_AND_CLOSES: Final = frozenset({"new", "filled", "canceled", "expired"})

_json = msgspec.json.Encoder(decimal_format="number")

_STATUSES: Final = {
    OrderStage.NEW: "new",
    OrderStage.PARTIAL: "partially_filled",
    OrderStage.FILLED: "filled",
    OrderStage.CANCELED: "canceled",
    OrderStage.EXPIRED: "canceled",
}


def frame(kind: str, data: Iterable[Fields], sequence: int) -> str:
    """Return a message of the channel: `snapshot` or `update`."""
    message = {"channel": "executions", "type": kind, "data": list(data), "sequence": sequence}
    return _json.encode(message).decode()


def describe(event: OrderEvent, *, opens_and_closes_only: bool) -> list[Fields]:
    """Return what the channel says of an event, each for a message of its own."""
    order = event.order
    match event.kind:
        case OrderEventKind.NEW:
            told = [_state(order, "pending_new", "pending_new"), _state(order, "new", "new")]
        case OrderEventKind.TRADE:
            assert event.trade is not None
            told = [_trade(order, event.trade, order.trades, "partially_filled")]
            if order.stage is OrderStage.FILLED:
                told.append(_state(order, "filled", "filled"))
        case OrderEventKind.CANCELED:
            told = [{**_state(order, "canceled", "canceled"), "reason": "User requested"}]
        case OrderEventKind.EXPIRED:
            told = [{**_state(order, "canceled", "canceled"), "reason": "Immediate or cancel"}]
    if opens_and_closes_only:
        return [one for one in told if one["exec_type"] in OPENS_AND_CLOSES]
    return told


def snapshot(
    orders: Iterable[PlacedOrder], *, with_orders: bool, with_trades: bool
) -> list[Fields]:
    """Return open orders, then the account's last 50 trades, as a snapshot has them."""
    listed = list(orders)
    data: list[Fields] = []
    if with_orders:
        open_ = [(order, _STATUSES[order.stage]) for order in listed if order.is_open]
        data += [_state(order, status, status) for order, status in open_]
    if with_trades:
        trades = sorted(
            ((trade, order) for order in listed for trade in order.trades),
            key=lambda one: one[0].number,
        )
        for trade, order in trades[-SNAPSHOT_TRADES:]:
            so_far = order.trades[: order.trades.index(trade) + 1]
            data.append(_trade(order, trade, so_far, _STATUSES[order.stage]))
    return data


def _state(order: PlacedOrder, kind: str, status: str) -> Fields:
    ticket = order.ticket
    told: Fields = {
        "order_id": order_id(order.number),
        "symbol": ticket.symbol,
        "side": ticket.side.value,
        "order_type": "market" if ticket.price is None else "limit",
        "order_qty": _qty(ticket.amount),
        "limit_price": ticket.price,
        "time_in_force": ticket.lifetime.value,
        "post_only": ticket.post_only,
        "exec_type": kind,
        "order_status": status,
        "cum_qty": _qty(order.filled),
        "cum_cost": order.cost,
        "avg_price": round(order.average, 8),
        "timestamp": rfc3339(order.updated_ns // 1000),
    }
    if ticket.client_id:
        told["cl_ord_id"] = ticket.client_id
    return {name: value for name, value in told.items() if value is not None}


def _trade(
    order: PlacedOrder, trade: OrderTrade, so_far: Iterable[OrderTrade], status: str
) -> Fields:
    done = list(so_far)
    filled = sum((one.amount for one in done), Decimal(0))
    cost = sum((one.price * one.amount for one in done), Decimal(0))
    return {
        **_state(order, "trade", status),
        "cum_qty": _qty(filled),
        "cum_cost": cost,
        "avg_price": round(cost / filled, 8),
        "exec_id": trade_id(trade.number),
        "trade_id": trade.number,
        "last_qty": _qty(trade.amount),
        "last_price": trade.price,
        "cost": trade.price * trade.amount,
        "liquidity_ind": "m" if trade.is_maker else "t",
        "fees": [{"asset": trade.fee_asset, "qty": trade.fee}],
        "timestamp": rfc3339(trade.ts_ns // 1000),
    }


def _qty(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.00000001"))
