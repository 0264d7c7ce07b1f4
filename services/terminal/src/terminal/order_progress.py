"""An order as its news tell of it, and what its fills came to. Pure: the time is a parameter."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from dragonfly_client.messages import TakeSide
from dragonfly_client.orders import OrderNews, Ticket, VenueFill, VenueOrder, WorkedOrder

__all__ = ["BPS", "OrderProgress", "Totals", "VenueProgress", "worse_bps"]

BPS: Final = 10_000


@dataclass
class Totals:
    """What fills came to: amount and money before fees, and fees by asset."""

    amount: Decimal = Decimal(0)
    money: Decimal = Decimal(0)
    fees: dict[str, Decimal] = field(default_factory=dict)

    def add(self, fill: VenueFill) -> None:
        self.amount += fill.amount
        self.money += fill.amount * fill.price
        if fill.fee:
            self.fees[fill.fee_asset] = self.fees.get(fill.fee_asset, Decimal(0)) + fill.fee

    @property
    def gross(self) -> Decimal | None:
        """The average price before fees."""
        return self.money / self.amount if self.amount else None

    def net(self, instrument: str, side: TakeSide) -> Decimal | None:
        """Return the average price after fees, but for those that are paid in a third asset."""
        base, _, quote = instrument.partition("-")
        sign = 1 if side == "buy" else -1
        amount = self.amount - sign * self.fees.get(base, Decimal(0))
        return (self.money + sign * self.fees.get(quote, Decimal(0))) / amount if amount else None


@dataclass
class VenueProgress:
    """What was sent to one venue, and what became of it."""

    orders: int = 0
    totals: Totals = field(default_factory=Totals)
    pending: list[tuple[VenueOrder, float | None]] = field(default_factory=list)
    """What is sent, open or unknown; of the unknown, since when."""


class OrderProgress:
    """One order, from the moment it was taken."""

    def __init__(self, order: WorkedOrder, ticket: Ticket | None = None) -> None:
        self.order = order
        self.ticket = ticket
        self.state = order.state
        self.reason = order.reason
        self.filled = order.filled
        self.leaves = order.leaves
        self.over = False
        self.totals = Totals()
        self.fills: list[tuple[int, VenueFill]] = []
        """Each with the time of its report."""
        self.began_ns: int | None = None
        self.ended_ns: int | None = None
        self.seq = 0
        self._children: dict[str, VenueOrder] = {}
        self._doubted: dict[str, float] = {}

    def take(self, news: OrderNews, now: float) -> None:
        """Take what happened; `now` is in seconds of any clock."""
        self.seq = news.seq
        self.state, self.reason = news.state, news.reason or self.reason
        self.filled, self.leaves, self.over = news.filled, news.leaves, news.over
        if self.began_ns is None:
            self.began_ns = news.ts
        self.ended_ns = news.ts
        if (child := news.child) is not None:
            self._children[child.child_id] = child
            if child.state == "unknown":
                self._doubted.setdefault(child.child_id, now)
            else:
                self._doubted.pop(child.child_id, None)
        if (fill := news.fill) is not None:
            self.totals.add(fill)
            self.fills.append((news.ts, fill))

    @property
    def net(self) -> Decimal | None:
        return self.totals.net(self.order.instrument, self.order.side)

    @property
    def unknown(self) -> list[VenueOrder]:
        """The orders at venues whose outcome is in doubt."""
        return [self._children[name] for name in self._doubted]

    def venues(self) -> dict[str, VenueProgress]:
        """Return what each venue has had, in the order of their names."""
        found: dict[str, VenueProgress] = {}
        for child in self._children.values():
            venue = found.setdefault(child.venue, VenueProgress())
            venue.orders += 1
            if child.state in {"sent", "open", "unknown"}:
                venue.pending.append((child, self._doubted.get(child.child_id)))
        for _, fill in self.fills:
            found.setdefault(fill.venue, VenueProgress()).totals.add(fill)
        return dict(sorted(found.items()))

    def share_done(self) -> float:
        return float(self.filled / self.order.quantity) if self.order.quantity else 0.0

    def share_planned(self, now_ns: int) -> float | None:
        """Return how much of its time is over; None of an order that has no end."""
        if self.ticket is None or not self.ticket.end_ns or self.began_ns is None:
            return None
        start = max(self.ticket.start_ns, self.began_ns)
        whole = max(1, self.ticket.end_ns - start)
        return min(1.0, max(0.0, (now_ns - start) / whole))


def worse_bps(side: TakeSide, price: Decimal | None, than: Decimal | None) -> Decimal | None:
    """Return how much worse `price` is than another, in ten-thousandths of that one."""
    if price is None or not than:
        return None
    return (price - than if side == "buy" else than - price) / than * BPS
