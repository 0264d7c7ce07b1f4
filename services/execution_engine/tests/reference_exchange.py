"""A venue in memory for simulations: `OrderEntry` with all that can go wrong, in virtual time.

It is written from the contract in `dragonfly_venues.orders`, not from the engine. What it did is
its truth: `orders` and `trades`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from dragonfly_common.types import OrderSide
from dragonfly_venues.orders import (
    NOT_SENT,
    AccountState,
    ChildAccepted,
    ChildClosed,
    ChildFill,
    ChildOrder,
    ChildRefused,
    ChildUnresolved,
    EntryConnected,
    EntryDisconnected,
    EntryTrouble,
    OpenOrder,
    OpenOrders,
    OrderEntry,
    OrderEvent,
    OrderReport,
    TradesSince,
)
from simulation.virtual import Schedule

ZERO = Decimal(0)
Levels = list[list[Decimal]]


@dataclass
class Faults:
    """How likely each fault is, of each message that it can befall."""

    request_lost: float = 0.0
    request_late: float = 0.0
    """It arrives long after its sender has given up."""
    reply_lost: float = 0.0
    refused: float = 0.0
    event_lost: float = 0.0
    event_twice: float = 0.0
    query_fails: float = 0.0
    query_lags: float = 0.0
    slow_match: float = 0.0
    """It is accepted, and matched later: open meanwhile, and a cancel may win."""
    cut: float = 0.0
    """The line breaks after the request was written."""
    trouble: float = 0.0


@dataclass
class VenueOrder:
    child: ChildOrder
    venue_id: str
    arrived: float
    open: bool = True
    fills: list[ChildFill] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        return sum((fill.amount for fill in self.fills), ZERO)


class ReferenceExchange(OrderEntry):
    """One venue; it outlives the engines that use it."""

    settles_after_s = 3.0
    places_per_second = 10.0

    def __init__(
        self,
        venue: str,
        schedule: Schedule,
        chance: random.Random,
        faults: Faults,
        *,
        fee: Decimal,
        balances: dict[str, Decimal],
        now_ns: Callable[[], int],
    ) -> None:
        self.venue = venue
        self.faults = faults
        self.fee = fee
        self.balances = dict(balances)
        self.bids: Levels = []
        self.asks: Levels = []
        self.orders: dict[str, VenueOrder] = {}
        self.trades: list[ChildFill] = []
        self.on_place: Callable[[ChildOrder], None] = lambda _: None
        self.on_arrival: Callable[[ChildOrder], None] = lambda _: None
        self.on_fill: Callable[[ChildFill], None] = lambda _: None
        self.sink: Callable[[OrderEvent], None] | None = None
        """The engine of now; None while there is none, or the line is down."""
        self._schedule = schedule
        self._chance = chance
        self._now_ns = now_ns
        self._time_off_ns = 0

    def connect(self, sink: Callable[[OrderEvent], None]) -> None:
        """Begin a line to an engine, which measures the time anew."""
        self.sink = sink
        chance = random.Random(self._schedule.now)
        self._time_off_ns = round(chance.uniform(-1.5, 1.5) * 10**9)
        self._tell(EntryConnected(), sure=True)

    def hang_up(self) -> None:
        self.sink = None

    # What the engine calls

    def time_ns(self) -> int:
        return self._now_ns() + self._time_off_ns

    def place(self, child: ChildOrder) -> None:
        self.on_place(child)
        chance, faults = self._chance, self.faults
        if chance.random() < faults.request_lost:
            self._later(1.0, self._tell_now(ChildUnresolved(child.child_id, "timeout")))
            return
        if chance.random() < faults.request_late:
            self._later(0.3, self._tell_now(ChildUnresolved(child.child_id, "timeout")))
            self._schedule.after(chance.uniform(0.5, 2.9), lambda: self._arrive(child, reply=False))
            return
        if chance.random() < faults.cut:
            self._schedule.after(self._leg(), lambda: self._arrive(child, reply=False))
            self._cut()
            return
        if self.time_ns() > child.send_by_ns:
            self._tell(ChildRefused(child.child_id, NOT_SENT, "too late"), sure=True)
            return
        self._schedule.after(self._leg(), lambda: self._arrive(child, reply=True))

    def cancel(self, child: ChildOrder) -> None:
        def arrive() -> None:
            order = self.orders.get(child.child_id)
            if order is not None and order.open:
                order.open = False
                self._tell(ChildClosed(child.child_id, order.filled, "cancelled"))

        self._schedule.after(self._leg(), arrive)

    def query(self, child: ChildOrder) -> None:
        chance, faults = self._chance, self.faults
        if chance.random() < faults.query_fails:
            self._later(0.2, self._tell_now(EntryTrouble("503", chance.choice([0.0, 0.0, 1.0]))))
            return
        lag = 1.0 if chance.random() < faults.query_lags else 0.0

        def answer() -> None:
            order = self.orders.get(child.child_id)
            if order is None or order.arrived > self._schedule.now - lag:
                self._tell(OrderReport(child.child_id, known=False), sure=True)
                return
            fills = order.fills if not lag else order.fills[:-1]
            self._tell(
                OrderReport(
                    child.child_id,
                    known=True,
                    open=order.open,
                    filled=order.filled,
                    fills=tuple(fills),
                    venue_order_id=order.venue_id,
                ),
                sure=True,
            )

        self._schedule.after(self._leg(), answer)

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        del since_ns

        def answer() -> None:
            if self._chance.random() < self.faults.query_fails:
                return
            known = int(trade_id) if trade_id else 0
            fills = tuple(fill for fill in self.trades if int(fill.trade_id) > known)
            self._tell(TradesSince(venue_symbol, fills), sure=True)

        self._schedule.after(self._leg(), answer)

    def ask_open_orders(self) -> None:
        def answer() -> None:
            if self._chance.random() < self.faults.query_fails:
                return
            found = tuple(
                OpenOrder(name, one.venue_id) for name, one in self.orders.items() if one.open
            )
            self._tell(OpenOrders(found), sure=True)

        self._schedule.after(self._leg(), answer)

    def ask_account(self) -> None:
        self._schedule.after(
            self._leg(),
            lambda: self._tell(AccountState(dict(self.balances), {"": self.fee}), sure=True),
        )

    # What happens at the venue

    def _arrive(self, child: ChildOrder, *, reply: bool) -> None:
        self.on_arrival(child)
        chance, faults = self._chance, self.faults
        if chance.random() < faults.refused or not self._can_pay(child):
            if reply:
                self._tell(ChildRefused(child.child_id, "-2010", "insufficient"), sure=True)
            return
        if child.child_id in self.orders:
            self._tell(ChildUnresolved(child.child_id, "duplicate"), sure=True)
            return
        order = VenueOrder(child, f"{self.venue}-{len(self.orders) + 1}", self._schedule.now)
        self.orders[child.child_id] = order
        if reply and chance.random() < faults.reply_lost:
            self._later(1.0, self._tell_now(ChildUnresolved(child.child_id, "timeout")))
            reply = False
        if reply:
            self._tell(ChildAccepted(child.child_id, order.venue_id))
        if chance.random() < faults.slow_match:
            self._schedule.after(chance.uniform(0.05, 0.8), lambda: self._match(order))
        else:
            self._match(order)

    def _can_pay(self, child: ChildOrder) -> bool:
        base, quote = child.instrument.split("-")
        if child.side is OrderSide.BUY:
            return self.balances[quote] >= child.amount * child.limit * (1 + self.fee)
        return self.balances[base] >= child.amount

    def _match(self, order: VenueOrder) -> None:
        if not order.open:
            return
        child = order.child
        buys = child.side is OrderSide.BUY
        side = self.asks if buys else self.bids
        left = child.amount
        while left > 0 and side:
            price, amount = side[0]
            if price > child.limit if buys else price < child.limit:
                break
            taken = min(left, amount)
            left -= taken
            side[0][1] -= taken
            if not side[0][1]:
                side.pop(0)
            self._trade(order, price, taken)
        order.open = False
        closed = ChildClosed(child.child_id, order.filled, "filled" if not left else "expired")
        self._tell(closed)

    def _trade(self, order: VenueOrder, price: Decimal, amount: Decimal) -> None:
        child = order.child
        base, quote = child.instrument.split("-")
        sign = child.side.sign
        fee = price * amount * self.fee
        self.balances[base] += sign * amount
        self.balances[quote] -= sign * price * amount + fee
        fill = ChildFill(
            child.child_id,
            child.venue_symbol,
            str(len(self.trades) + 1),
            price,
            amount,
            fee,
            quote,
            self._now_ns(),
        )
        self.trades.append(fill)
        order.fills.append(fill)
        self.on_fill(fill)
        self._tell(fill)

    # How news travels

    def _leg(self) -> float:
        return self._chance.uniform(0.001, 0.05)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._schedule.after(seconds, call)

    def _tell_now(self, event: OrderEvent) -> Callable[[], None]:
        sink = self.sink

        def tell() -> None:
            if sink is not None and self.sink is sink:
                sink(event)

        return tell

    def _tell(self, event: OrderEvent, *, sure: bool = False) -> None:
        """Tell the engine after a leg of its own, perhaps twice or not at all."""
        chance, faults = self._chance, self.faults
        if not sure and chance.random() < faults.event_lost:
            return
        self._schedule.after(self._leg(), self._tell_now(event))
        if not sure and chance.random() < faults.event_twice:
            self._schedule.after(self._leg() * 4, self._tell_now(event))

    def _cut(self) -> None:
        sink = self.sink
        if sink is None:
            return
        self.sink = None
        self._schedule.after(0.001, lambda: sink(EntryDisconnected("cut")))

        def back() -> None:
            if self.sink is None and self.is_wanted(sink):
                self.connect(sink)

        self._schedule.after(self._chance.uniform(0.1, 1.0), back)

    is_wanted: Callable[[Callable[[OrderEvent], None]], bool] = staticmethod(lambda _: True)
