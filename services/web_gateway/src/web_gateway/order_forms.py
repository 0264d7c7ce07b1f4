"""What is sent as JSON of the execution engine and its orders; money is decimal text."""

from __future__ import annotations

import msgspec
from dragonfly_client.orders import EngineState, IntervalMid, VenueFill, VenueOrder, WorkedOrder

from web_gateway.forms import decimal_text, int_text, money
from web_gateway.orders import OrdersTold, WorkedDetail

__all__ = [
    "EngineForm",
    "IntervalForm",
    "OrderDetailForm",
    "OrderForm",
    "OrdersForm",
    "detail_form",
    "engine_form",
    "order_form",
    "orders_form",
]


class EngineForm(msgspec.Struct, frozen=True):
    """The execution engine: `paper` fills are assumed, `killed` takes no orders."""

    engine: str
    paper: bool
    killed: bool
    venues: list[str]


class IntervalForm(msgspec.Struct, frozen=True):
    """The mid while an order was worked, weighted by the time for which there was one."""

    mid: str
    seen_ns: str
    whole_ns: str


class OrderForm(msgspec.Struct, frozen=True):
    """An order as it stands; money is decimal text. `interval` is null while there was no mid."""

    order_id: str
    client_id: str
    instrument: str
    side: str
    quantity: str
    limit: str | None
    algorithm: str
    state: str
    reason: str
    over: bool
    filled: str
    leaves: str
    reserved: str
    average: str | None
    fees: dict[str, str]
    unknown: int
    last_seq: str
    arrival_mid: str | None
    interval: IntervalForm | None


class ChildForm(msgspec.Struct, frozen=True):
    """An order at one venue, part of a larger one."""

    child_id: str
    venue: str
    state: str
    amount: str
    limit: str
    filled: str
    text: str


class FillForm(msgspec.Struct, frozen=True):
    """One fill."""

    venue: str
    trade_id: str
    price: str
    amount: str
    fee: str
    fee_asset: str
    ts_event: str | None


class OrderDetailForm(msgspec.Struct, frozen=True):
    """An order with its newest orders at venues and fills."""

    order: OrderForm
    children: list[ChildForm]
    fills: list[FillForm]


class OrdersForm(msgspec.Struct, frozen=True):
    """The engine and its customer's orders, newest first; `reason` says why `live` is false."""

    live: bool
    reason: str
    engine: EngineForm | None
    orders: list[OrderForm]


def engine_form(engine: EngineState) -> EngineForm:
    return EngineForm(engine.engine, engine.paper, engine.killed, [*engine.venues])


def order_form(order: WorkedOrder) -> OrderForm:
    return OrderForm(
        order.order_id,
        order.client_id,
        order.instrument,
        order.side,
        money(order.quantity),
        decimal_text(order.limit),
        order.algorithm,
        order.state,
        order.reason,
        order.over,
        money(order.filled),
        money(order.leaves),
        money(order.reserved),
        decimal_text(order.average),
        {asset: money(fee) for asset, fee in order.fees.items()},
        order.unknown,
        str(order.last_seq),
        decimal_text(order.arrival_mid),
        _interval(order.interval) if order.interval else None,
    )


def orders_form(told: OrdersTold | None, lost: str = "") -> OrdersForm:
    return OrdersForm(
        told is not None and not lost,
        lost,
        engine_form(told.engine) if told else None,
        [order_form(one) for one in told.orders] if told else [],
    )


def detail_form(told: WorkedDetail) -> OrderDetailForm:
    return OrderDetailForm(
        order_form(told.order), [*map(_child, told.children)], [*map(_fill, told.fills)]
    )


def _interval(one: IntervalMid) -> IntervalForm:
    return IntervalForm(money(one.mid), str(one.seen_ns), str(one.whole_ns))


def _child(one: VenueOrder) -> ChildForm:
    sums = (money(one.amount), money(one.limit), money(one.filled))
    return ChildForm(one.child_id, one.venue, one.state, *sums, one.text)


def _fill(one: VenueFill) -> FillForm:
    sums = (money(one.price), money(one.amount), money(one.fee))
    return FillForm(one.venue, one.trade_id, *sums, one.fee_asset, int_text(one.ts_event))
