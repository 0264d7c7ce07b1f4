"""Parents and children as a fold over the journal's rows. Pure; the only place that changes them.

What may still be sent of a parent is `quantity - filled - reserved`: whatever is open, in doubt, or
filled by the venue's count and not seen as fills yet, is reserved. That is why no order is ever
filled beyond its quantity.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import takewhile
from typing import Final

from dragonfly_orders.messages import (
    FINAL_STATES,
    ArrivalTop,
    ChildNews,
    ChildState,
    FillNews,
    IntervalMid,
    Liquidate,
    OrderState,
    OrderStatus,
    Report,
    ReportKind,
)

from execution_engine.rows import (
    ChildAnswered,
    ChildDenied,
    ChildDoubted,
    ChildEnded,
    ChildIntended,
    CommandAnswered,
    FillCounted,
    IntervalSeen,
    KillSwitched,
    OrderDenied,
    ParentMoved,
    ParentOpened,
    ParentReplaced,
    Reported,
    Row,
)

__all__ = ["Child", "Orders", "Parent"]

ZERO: Final = Decimal(0)
DAY_NS: Final = 86_400 * 10**9
IN_FLIGHT: Final = frozenset({ChildState.SENT, ChildState.OPEN})


@dataclass
class Child:
    """An order at a venue."""

    intent: ChildIntended
    state: ChildState = ChildState.SENT
    filled: Decimal = ZERO
    """The sum of its fills."""
    told_filled: Decimal = ZERO
    """The venue's own cumulative amount, once it is over."""
    accepted: bool = False
    """Its venue said once that it has it: silence never proves the contrary any more."""
    denials: int = 0
    """By its venue, since it came into doubt last, over all lives of the engine."""
    reason: str = ""

    @property
    def reserved(self) -> Decimal:
        """What it may still fill, or has filled without its fills being here."""
        most = (
            self.intent.amount
            if self.state in IN_FLIGHT or self.state is ChildState.UNKNOWN
            else self.told_filled
        )
        return max(ZERO, most - self.filled)

    @property
    def settled(self) -> bool:
        """Whether it is over, and all that it filled is counted."""
        is_over = self.state not in IN_FLIGHT and self.state is not ChildState.UNKNOWN
        return is_over and self.filled >= self.told_filled

    @property
    def was_there(self) -> bool:
        """Whether its venue ever told something that only one that has it can."""
        return self.accepted or self.filled > 0

    def news(self) -> ChildNews:
        intent = self.intent
        return ChildNews(
            intent.child_id,
            intent.venue,
            self.state,
            intent.amount,
            intent.limit,
            self.filled,
            self.reason,
        )


@dataclass
class Parent:
    """A customer's order."""

    opened: ParentOpened
    quantity: Decimal
    limit: Decimal | None
    state: OrderState = OrderState.RUNNING
    reason: str = ""
    moved_ns: int = 0
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    unsettled: dict[str, Child] = field(default_factory=dict)
    rounds: int = 0
    ended_ns: int = 0
    """When a child of it was over last."""
    interval: IntervalMid | None = None
    last_seq: int = 0

    @property
    def order(self) -> Liquidate:
        return self.opened.order

    @property
    def id(self) -> str:
        return self.opened.order_id

    @property
    def arrival(self) -> tuple[ArrivalTop, ...]:
        """The book that it met, of the venues that it may use."""
        venues = self.order.venues
        return tuple(top for top in self.opened.arrival if not venues or top.venue in venues)

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def reserved(self) -> Decimal:
        return sum((child.reserved for child in self.unsettled.values()), ZERO)

    @property
    def remaining(self) -> Decimal:
        """What may still be sent: never negative."""
        return max(ZERO, self.quantity - self.filled - self.reserved)

    @property
    def average(self) -> Decimal | None:
        return self.notional / self.filled if self.filled else None

    @property
    def in_flight(self) -> bool:
        """Whether a child is on its way, whose answer is to be had soon."""
        return any(child.state in IN_FLIGHT for child in self.unsettled.values())

    def taken_since(self, begin_ns: int) -> Decimal:
        """Return what children that were intended since then have filled, or may still fill."""
        recent = takewhile(lambda child: child.intent.ts >= begin_ns, reversed(self.children))
        return sum((child.filled + child.reserved for child in recent), ZERO)

    def status(self) -> OrderStatus:
        order, opened = self.order, self.opened
        return OrderStatus(
            order_id=self.id,
            owner=opened.owner,
            client_id=order.client_id,
            instrument=order.instrument,
            side=order.side,
            quantity=self.quantity,
            limit=self.limit,
            algorithm=type(order.algorithm).__struct_config__.tag,  # type: ignore[arg-type]
            state=self.state,
            reason=self.reason,
            filled=self.filled,
            leaves=self._leaves,
            reserved=self.reserved,
            average=self.average,
            fees=dict(self.fees),
            unknown=sum(one.state is ChildState.UNKNOWN for one in self.unsettled.values()),
            last_seq=self.last_seq,
            arrival_mid=opened.arrival_mid,
            interval=self.interval,
        )

    @property
    def _leaves(self) -> Decimal:
        return ZERO if self.final else max(ZERO, self.quantity - self.filled)

    def report(
        self,
        kind: ReportKind,
        ts: int,
        reason: str = "",
        child: Child | None = None,
        fill: FillNews | None = None,
    ) -> Reported:
        """Return the next report: the order as it stands now."""
        return Reported(
            Report(
                self.id,
                self.opened.owner,
                self.last_seq + 1,
                kind,
                self.state,
                self.filled,
                self._leaves,
                self.average,
                dict(self.fees),
                ts,
                reason,
                child.news() if child else None,
                fill,
            )
        )


class Orders:
    """All that the journal says."""

    def __init__(self) -> None:
        self.parents: dict[str, Parent] = {}
        self.denied: set[str] = set()
        """Ids of orders that are not taken any more."""
        self.children: dict[str, Child] = {}
        self.answers: dict[tuple[str, str], CommandAnswered] = {}
        self.fills: dict[tuple[str, str, str], FillCounted] = {}
        self.killed: KillSwitched | None = None
        """Why nothing may be sent; None while it may."""
        self.unsettled: dict[str, Child] = {}
        self.last_trades: dict[tuple[str, str], str] = {}
        """By venue and symbol: the trade that was counted last."""
        self.ended_ns: dict[tuple[str, str], int] = {}
        """By venue and instrument: when a child was over there last."""
        self._day_notional: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)

    def apply(self, row: Row) -> None:  # noqa: PLR0912 - a table
        """Take one row, which is in the journal, or is about to be."""
        match row:
            case ParentOpened():
                order = row.order
                self.parents[row.order_id] = Parent(row, order.quantity, order.limit)
            case OrderDenied():
                self.denied.add(row.order_id)
            case ParentMoved():
                parent = self.parents[row.order_id]
                parent.state, parent.reason, parent.moved_ns = row.state, row.reason, row.ts
            case ParentReplaced():
                parent = self.parents[row.order_id]
                parent.quantity, parent.limit = row.quantity, row.limit
            case IntervalSeen():
                self.parents[row.order_id].interval = row.interval
            case ChildIntended():
                self._intend(row)
            case ChildAnswered():
                child = self.children[row.child_id]
                child.accepted = True
                if child.state in {ChildState.SENT, ChildState.UNKNOWN}:
                    child.state = ChildState.OPEN
            case ChildDoubted():
                child = self.children[row.child_id]
                child.state, child.reason = ChildState.UNKNOWN, row.reason
                child.denials = 0
                self._settle(child)
            case ChildDenied():
                self.children[row.child_id].denials += 1
            case ChildEnded():
                child = self.children[row.child_id]
                child.state, child.reason = row.state, row.reason
                child.told_filled = max(child.told_filled, row.filled)
                self.parent_of(child).ended_ns = row.ts
                self.ended_ns[child.intent.venue, child.intent.instrument] = row.ts
                self._settle(child)
            case FillCounted():
                self._fill(row)
            case KillSwitched():
                self.killed = row if row.on else None
            case CommandAnswered():
                self.answers[row.owner, row.answer.id] = row
            case Reported():
                self.parents[row.report.order_id].last_seq = row.report.seq

    def open_parents(self) -> Iterator[Parent]:
        return (parent for parent in self.parents.values() if not parent.final)

    def parent_of(self, child: Child) -> Parent:
        return self.parents[child.intent.order_id]

    def at_venue(self, venue: str) -> Iterator[Child]:
        """Yield the children at `venue` whose fate is not known to the end."""
        return (child for child in self.unsettled.values() if child.intent.venue == venue)

    def day_notional(self, instrument: str, now_ns: int) -> Decimal:
        """Return what was filled of `instrument` in this day (UTC), and what may still be."""
        reserved = (
            child.reserved * child.intent.limit
            for child in self.unsettled.values()
            if child.intent.instrument == instrument
        )
        return self._day_notional[now_ns // DAY_NS, instrument] + sum(reserved, ZERO)

    def _intend(self, row: ChildIntended) -> None:
        child = self.children[row.child_id] = Child(row)
        parent = self.parents[row.order_id]
        parent.children.append(child)
        parent.rounds = max(parent.rounds, row.round)
        self._settle(child)

    def _fill(self, row: FillCounted) -> None:
        child = self.children[row.child_id]
        parent = self.parent_of(child)
        self.fills[row.venue, row.venue_symbol, row.trade_id] = row
        self.last_trades[row.venue, row.venue_symbol] = row.trade_id
        child.filled += row.amount
        parent.filled += row.amount
        parent.notional += row.amount * row.price
        parent.fees[row.fee_asset] = parent.fees.get(row.fee_asset, ZERO) + row.fee
        key = (row.ts // DAY_NS, child.intent.instrument)
        self._day_notional[key] += row.amount * row.price
        self._settle(child)

    def _settle(self, child: Child) -> None:
        """Keep it among the unsettled for as long as it is one, also where it becomes one again."""
        for unsettled in (self.unsettled, self.parent_of(child).unsettled):
            if child.settled:
                unsettled.pop(child.intent.child_id, None)
            else:
                unsettled[child.intent.child_id] = child
