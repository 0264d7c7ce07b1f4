"""The messages of Bitstamp's private channels of orders and trades.

Source: bitstamp.net/websocket/v2, "Private channels". An order that fills is deleted with nothing
left, and its trade may come after that; here it does.
"""

from __future__ import annotations

import json

from venue_simulator.book import Listing
from venue_simulator.trading.orders import (
    OrderEvent,
    OrderEventKind,
    OrderTrade,
    PlacedOrder,
    TicketSide,
)
from venue_simulator.venue import Books
from venue_simulator.venues.bitstamp.orders import price_text

__all__ = ["describe"]

Fields = dict[str, object]


def describe(event: OrderEvent, books: Books, user: int) -> list[tuple[str, str]]:
    """Return (channel, message) of what tells of an event to the account of that number."""
    order = event.order
    listing = books.listing(order.ticket.symbol)
    if listing is None:
        return []
    if event.kind is OrderEventKind.NEW:
        name = "order_created"
    else:
        name = "order_changed" if order.is_open else "order_deleted"
    told = [("my_orders", name, _order(order, listing))]
    if event.trade is not None:
        told.append(("my_trades", "trade", _trade(order, event.trade, listing)))
    messages = []
    for kind, event_name, data in told:
        channel = f"private-{kind}_{order.ticket.symbol}-{user}"
        message = {"data": data, "channel": channel, "event": event_name}
        messages.append((channel, json.dumps(message, separators=(",", ":"))))
    return messages


def _order(order: PlacedOrder, listing: Listing) -> Fields:
    ticket = order.ticket
    left, price = f"{order.left:.8f}", price_text(listing, ticket.price)
    told: Fields = {
        "id": order.number,
        "id_str": str(order.number),
        "order_type": 0 if ticket.side is TicketSide.BUY else 1,
        "datetime": str(order.updated_ns // 1_000_000_000),
        "microtimestamp": str(order.updated_ns // 1000),
        "amount": float(left),
        "amount_str": left,
        "amount_traded": f"{order.filled:.8f}",
        "amount_at_create": f"{ticket.amount:.8f}",
        "price": float(price),
        "price_str": price,
        "trade_account_id": 0,
    }
    if ticket.client_id:
        told["client_order_id"] = ticket.client_id
    return told


def _trade(order: PlacedOrder, trade: OrderTrade, listing: Listing) -> Fields:
    told: Fields = {
        "id": trade.number,
        "order_id": order.number,
        "amount": f"{trade.amount:.8f}",
        "price": price_text(listing, trade.price),
        "fee": f"{trade.fee:f}",
        "side": order.ticket.side.value,
        "microtimestamp": str(trade.ts_ns // 1000),
        "trade_account_id": 0,
    }
    if order.ticket.client_id:
        told["client_order_id"] = order.ticket.client_id
    return told
