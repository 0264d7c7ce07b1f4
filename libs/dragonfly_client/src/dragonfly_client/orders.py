"""Orders, as a bot gives them and hears of them. Money is exact decimals.

    ticket = Ticket("mine-1", "ETH-BTC", "sell", Decimal("120"), limit=Decimal("0.052"))
    order = await client.liquidate(ticket)
    async for news in client.order_news(order.order_id):
        print(news)

A `Ticket` is sent again as it stands where its outcome is not known: its `client_id` makes it the
same order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from dragonfly_client.messages import Executable, TakeSide

__all__ = [
    "OVER",
    "ArrivalBook",
    "CostEstimate",
    "EngineState",
    "IntervalMid",
    "OrderNews",
    "Ticket",
    "VenueFill",
    "VenueOrder",
    "WorkedOrder",
]

NS: Final = 10**9

Algorithm = Literal["sweep", "twap", "is"]
Urgency = Literal["low", "medium", "high"]

OVER: Final = frozenset({"done", "cancelled", "expired"})
"""The states in which an order changes no more."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order to be worked.

    `client_id` is the bot's own name of it, 1 to 64 printable characters without blanks. The
    `quantity` is of the base; no fill is worse than `limit`, and no order at a venue is further
    than `max_slippage_bps` from the mid of its decision.

    A sweep takes all now, in at most `rounds`. A twap works equal slices until `end_ns`, and an
    "is" (implementation shortfall) more at first, by `urgency`: `ending_in` gives the time. What is
    None is the engine's default.
    """

    client_id: str
    instrument: str
    side: TakeSide
    quantity: Decimal
    algorithm: Algorithm = "sweep"
    limit: Decimal | None = None
    max_slippage_bps: Decimal | None = None
    venues: tuple[str, ...] = ()
    min_child: Decimal | None = None
    max_child: Decimal | None = None
    rounds: int | None = None
    start_ns: int = 0
    end_ns: int = 0
    interval_s: float | None = None
    randomise: float | None = None
    catch_up: float | None = None
    urgency: Urgency = "medium"

    @staticmethod
    def ending_in(seconds: float) -> int:
        """Return the `end_ns` that is so far from now; a ticket sent again keeps its own."""
        return time.time_ns() + int(seconds * NS)


@dataclass(frozen=True, slots=True)
class ArrivalBook:
    """One venue's side of a book that an order takes: `levels` are (price, amount), best first.

    `fee_bps` is a taker's, of the account there; None where the account had not told it.
    """

    venue: str
    levels: tuple[tuple[Decimal, Decimal], ...]
    fee_bps: Decimal | None


@dataclass(frozen=True, slots=True)
class IntervalMid:
    """Where the market stood while an order was worked, from its arrival to its end, or so far.

    `mid` is halfway between the best prices of all live venues, weighted by time. There was such a
    book for `seen_ns` of `whole_ns`; the rest counts for nothing: the engine was down, or no venue
    was live.
    """

    mid: Decimal
    seen_ns: int
    whole_ns: int


@dataclass(frozen=True, slots=True)
class WorkedOrder:
    """An order as it stands.

    `state` is "running", "paused", "cancelling" (nothing more is sent; some fate is not known yet),
    "done", "cancelled" or "expired". `reserved` is what is open or in doubt at venues, `unknown`
    how many orders at venues are in doubt. `average` is of all fills, before fees; `fees` are by
    asset. `arrival_mid` is halfway between the best prices when it was taken, and `arrival` the
    book of then, at the venues that it may use: `order()` alone tells it. `interval` is None while
    no live book was seen.
    """

    order_id: str
    client_id: str
    instrument: str
    side: TakeSide
    quantity: Decimal
    limit: Decimal | None
    algorithm: str
    state: str
    reason: str
    filled: Decimal
    leaves: Decimal
    reserved: Decimal
    average: Decimal | None
    fees: Mapping[str, Decimal]
    unknown: int
    last_seq: int
    arrival_mid: Decimal | None
    arrival: tuple[ArrivalBook, ...] = ()
    interval: IntervalMid | None = None

    @property
    def over(self) -> bool:
        """Whether it changes no more."""
        return self.state in OVER

    def __str__(self) -> str:
        at = "" if self.average is None else f" at {self.average}"
        return f"{self.side} {self.quantity} {self.instrument}: {self.state}, {self.filled}{at}"


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order at one venue, part of a larger one.

    `state` is "sent", "open", "unknown" (in doubt: its amount stays reserved), "closed", "refused",
    "not_accepted" (it was in doubt, and the venue has proven that it never had it) or "resolved"
    (the same, by the word of a person).
    """

    child_id: str
    venue: str
    state: str
    amount: Decimal
    limit: Decimal
    filled: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One fill, which the engine counts once."""

    venue: str
    trade_id: str
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    ts_event: int | None


@dataclass(frozen=True, slots=True)
class OrderNews:
    """One fact of an order, and how it stands with it: `filled`, and what may still be, `leaves`.

    `seq` counts the facts of an order from 1. `kind` is "new", "child", "fill", "state" or
    "replaced"; `child` and `fill` are set where it is about one.
    """

    order_id: str
    seq: int
    kind: str
    state: str
    filled: Decimal
    leaves: Decimal
    average: Decimal | None
    fees: Mapping[str, Decimal]
    ts: int
    reason: str
    child: VenueOrder | None
    fill: VenueFill | None

    @property
    def over(self) -> bool:
        """Whether the order changes no more."""
        return self.state in OVER

    def __str__(self) -> str:
        what = f"{self.kind} {self.state}"
        if self.fill is not None:
            what = f"fill {self.fill.amount} at {self.fill.price} {self.fill.venue}"
        elif self.child is not None:
            child = self.child
            what = f"order {child.state} {child.amount} at {child.limit} {child.venue}"
        return f"{self.order_id} {self.seq}: {what}; {self.filled} filled, {self.leaves} left"


@dataclass(frozen=True, slots=True)
class EngineState:
    """The engine behind a gateway: `paper` fills are assumed, `killed` takes no orders."""

    engine: str
    paper: bool
    killed: bool
    venues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a ticket would do and cost: `first` in the engine's words, all of it now as `now`."""

    first: str
    now: Executable
    engine: EngineState
