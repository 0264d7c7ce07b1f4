"""An engine with venues that say nothing of themselves: a test moves the clock and the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import count
from pathlib import Path

from dragonfly_common.clock import ManualClock
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    Algorithm,
    Command,
    CommandAnswer,
    CommandBody,
    Liquidate,
    Sweep,
)
from dragonfly_venues.orders import (
    AccountState,
    ChildClosed,
    ChildFill,
    ChildOrder,
    EntryConnected,
    OpenOrders,
    OrderEntry,
    OrderEvent,
    OrderReport,
)
from execution_engine.engine import Engine
from execution_engine.journal import Journal
from execution_engine.limits import InstrumentLimits, OrderLimits
from execution_engine.market import InstrumentBook, MarketRules, VenueTop
from execution_engine.orders import Child, Parent

INSTRUMENT = "ETH-BTC"
NUMBERS = count()
RULES = MarketRules("ETHBTC", Decimal("0.01"), Decimal("0.1"))
LIMITS = OrderLimits(
    {INSTRUMENT: InstrumentLimits(Decimal(10**6), Decimal(10**7), Decimal(10**8))},
    orders_per_second=Decimal(1000),
)
Levels = tuple[tuple[Decimal, Decimal], ...]


def levels(*pairs: tuple[str, str]) -> Levels:
    return tuple((Decimal(price), Decimal(amount)) for price, amount in pairs)


BIDS = levels(("100.00", "10"), ("99.99", "10"))
ASKS = levels(("100.01", "10"), ("100.02", "10"))


class RecordingVenue(OrderEntry):
    """Notes what it is asked."""

    settles_after_s = 3.0
    places_per_second = 1000.0

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.placed: list[ChildOrder] = []
        self.cancelled: list[str] = []
        self.queried: list[str] = []
        self.trades_asked: list[tuple[str, str]] = []
        self.armed = 0
        self.accounts_asked = 0
        self.measured_ns: Callable[[], int | None] = lambda: None

    def time_ns(self) -> int | None:
        return self.measured_ns()

    def place(self, child: ChildOrder) -> None:
        self.placed.append(child)

    def cancel(self, child: ChildOrder) -> None:
        self.cancelled.append(child.child_id)

    def query(self, child: ChildOrder) -> None:
        self.queried.append(child.child_id)

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        del since_ns
        self.trades_asked.append((venue_symbol, trade_id))

    def ask_open_orders(self) -> None:
        """Do nothing."""

    def ask_account(self) -> None:
        self.accounts_asked += 1

    def arm_dead_man(self) -> None:
        self.armed += 1


class Rig:
    """One life of an engine; `again` begins the next on the same journal."""

    def __init__(
        self,
        *venues: str,
        clock: ManualClock | None = None,
        journal: Journal | None = None,
        limits: OrderLimits = LIMITS,
        resume: bool = False,
        kill_file: Path | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.journal = journal or Journal(None)
        self._limits = limits
        self.engine = Engine(
            self.journal, limits, self.clock, paper=False, resume=resume, kill_file=kill_file
        )
        self.venues = {name: RecordingVenue(name) for name in venues or ("kraken",)}
        for name, venue in self.venues.items():
            self.engine.attach(name, venue)
            self.engine.market.rules[INSTRUMENT, name] = RULES
            self.ready(name)
        self.show()

    def again(self, *, resume: bool = False) -> Rig:
        return Rig(*self.venues, clock=self.clock, journal=self.journal, resume=resume)

    def ready(self, venue: str) -> None:
        """Let a venue connect and tell all that a desk must know."""
        funds = {"ETH": Decimal(1000), "BTC": Decimal(100_000)}
        for event in (
            EntryConnected(),
            AccountState(funds, {"": Decimal("0.001")}),
            OpenOrders(()),
        ):
            self.tell(event, venue)
        self.engine.desks[venue].trades_missing.clear()

    def show(self, tops: Mapping[str, tuple[Levels, Levels]] | None = None) -> None:
        """Let a book come, the same of each venue unless `tops` says otherwise."""
        now_ns, self.engine.market.proven_at = self.clock.now_ns(), self.clock.monotonic()
        shown = tops or dict.fromkeys(self.venues, (BIDS, ASKS))
        self.engine.on_book(
            INSTRUMENT,
            InstrumentBook({n: VenueTop(bids, asks, now_ns) for n, (bids, asks) in shown.items()}),
        )

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.show()
        self.engine.tick()

    def tell(self, event: OrderEvent, venue: str = "kraken") -> None:
        self.engine.on_order_event(venue, event)

    def ask(self, body: CommandBody, command_id: str = "") -> CommandAnswer:
        return self.engine.on_command(Command(command_id or f"c{next(NUMBERS)}", "alice", body))

    def order(
        self,
        quantity: str = "5",
        algorithm: Algorithm | None = None,
        *,
        side: OrderSide = OrderSide.BUY,
        client_id: str = "one",
        limit: str | None = None,
    ) -> Parent:
        """Place an order, and return it."""
        answer = self.ask(
            Liquidate(
                client_id,
                INSTRUMENT,
                side,
                Decimal(quantity),
                algorithm or Sweep(),
                limit=None if limit is None else Decimal(limit),
            )
        )
        assert answer.order_id, answer
        return self.engine.orders.parents[answer.order_id]

    @property
    def placed(self) -> list[ChildOrder]:
        return [child for venue in self.venues.values() for child in venue.placed]

    def child(self, order: ChildOrder | None = None) -> Child:
        return self.engine.orders.children[(order or self.placed[-1]).child_id]

    def fill(
        self, order: ChildOrder, amount: str, trade: str = "t1", price: str | None = None
    ) -> ChildFill:
        """Tell a fill of it at its limit, or at `price`."""
        paid = order.limit if price is None else Decimal(price)
        told = ChildFill(
            order.child_id,
            order.venue_symbol,
            trade,
            paid,
            Decimal(amount),
            Decimal(0),
            "BTC",
            None,
        )
        self.tell(told)
        return told

    def close(self, order: ChildOrder, filled: str) -> None:
        self.tell(ChildClosed(order.child_id, Decimal(filled)))

    def deny(self, order: ChildOrder, times: int = 1) -> None:
        """Let the venue say that it does not know it, each time when it was asked."""
        for _ in range(times):
            self.wait(6.0)
            self.tell(OrderReport(order.child_id, known=False))
