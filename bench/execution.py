"""The execution engine: from a decision to the wire, commits a second, and recovery.

    python bench/execution.py [--orders N] [--children N] [--repeat N]

A decision is an order that is taken and whose children are due; the wire is the call of the
venue's client, when its intent is on the disk. The journal is a file on this machine's disk.
Figures go to build/bench/execution.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final

import structlog
from dragonfly_common.clock import SystemClock
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import Command, Liquidate, Sweep
from dragonfly_venues.orders import (
    AccountState,
    ChildClosed,
    ChildFill,
    ChildOrder,
    EntryConnected,
    OpenOrders,
    OrderEntry,
)
from execution_engine.engine import Engine
from execution_engine.journal import Journal
from execution_engine.limits import OrderLimits
from execution_engine.market import InstrumentBook, MarketRules, VenueTop
from execution_engine.rows import KillSwitched
from measuring import medians, print_table, quantile, save, say_machine

INSTRUMENT: Final = "ETH-BTC"
VENUES: Final = ("binance", "bitstamp", "kraken")
LEVELS: Final = 20
LIMITS: Final = OrderLimits(
    {}, orders_per_second=Decimal(10**6), open_children=10**6, book_age_s=Decimal(3600)
)
"""A machine that stands still for a second refuses nothing here."""


class Wire(OrderEntry):
    """A venue's client that notes when it is called."""

    settles_after_s = 1.0
    places_per_second = 1e6

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.placed: list[tuple[int, int, ChildOrder]] = []
        """Each with the time, and the processor's, at which it was called."""

    def place(self, child: ChildOrder) -> None:
        self.placed.append((time.perf_counter_ns(), time.thread_time_ns(), child))

    def cancel(self, child: ChildOrder) -> None:
        """Do nothing."""

    def query(self, child: ChildOrder) -> None:
        """Do nothing."""

    def ask_trades(self, venue_symbol: str, trade_id: str, since_ns: int) -> None:
        """Do nothing."""

    def ask_open_orders(self) -> None:
        """Do nothing."""

    def ask_account(self) -> None:
        """Do nothing."""


def begin(path: Path, clock: SystemClock) -> tuple[Engine, dict[str, Wire], Journal]:
    """Return an engine whose venues are ready."""
    journal = Journal(path)
    engine = Engine(journal, LIMITS, clock, paper=True, resume=True)
    wires = {venue: Wire(venue) for venue in VENUES}
    for venue, wire in wires.items():
        engine.attach(venue, wire)
        engine.market.rules[INSTRUMENT, venue] = MarketRules(
            "ETHBTC", Decimal("0.0001"), Decimal("0.1")
        )
        engine.on_order_event(venue, EntryConnected())
        funds = dict.fromkeys(("ETH", "BTC"), Decimal(10**9))
        engine.on_order_event(venue, AccountState(funds, {"": Decimal("0.001")}))
        engine.on_order_event(venue, OpenOrders(()))
        engine.desks[venue].trades_missing.clear()
    return engine, wires, journal


def show(engine: Engine, clock: SystemClock) -> None:
    """Let a newer book come."""
    tick, mid = Decimal("0.0001"), Decimal("0.05")
    top = VenueTop(
        tuple((mid - tick * (n + 1), Decimal(9)) for n in range(LEVELS)),
        tuple((mid + tick * (n + 1), Decimal(9)) for n in range(LEVELS)),
        clock.now_ns(),
    )
    engine.market.proven_at = clock.monotonic()
    engine.on_book(INSTRUMENT, InstrumentBook(dict.fromkeys(VENUES, top)))


def decisions(folder: Path, orders: int) -> dict[str, float]:
    """Return quantiles of the time from a command to its first and to its last child, in µs.

    The processor's time leaves out the disk, and whatever else the machine is busy with.
    """
    clock = SystemClock()
    engine, wires, journal = begin(folder / "decisions", clock)
    first: list[float] = []
    last: list[float] = []
    worked: list[float] = []
    with closing(journal):
        for number in range(orders):
            sweep = Liquidate(
                f"order-{number}", INSTRUMENT, OrderSide.BUY, Decimal(20), Sweep(rounds=1)
            )
            for wire in wires.values():
                wire.placed.clear()
            show(engine, clock)  # what the order before left of it
            began, worked_before = time.perf_counter_ns(), time.thread_time_ns()
            engine.on_command(Command(f"c{number}", "bench", sweep))
            sent = sorted(at for wire in wires.values() for at, _, _ in wire.placed)
            assert len(sent) == len(VENUES), sent
            first.append((sent[0] - began) / 1000)
            last.append((sent[-1] - began) / 1000)
            until = max(at for wire in wires.values() for _, at, _ in wire.placed)
            worked.append((until - worked_before) / 1000)
            for venue, wire in wires.items():
                for _, _, child in wire.placed:
                    told = ChildFill(
                        child.child_id, "ETHBTC", child.child_id, child.limit, child.amount,
                        Decimal(0), "BTC", None,
                    )  # fmt: skip
                    engine.on_order_event(venue, told)
                    engine.on_order_event(venue, ChildClosed(child.child_id, child.amount))
    first.sort()
    last.sort()
    worked.sort()
    return {
        "first child p50 µs": quantile(first, 0.5),
        "first child p99 µs": quantile(first, 0.99),
        "third child p50 µs": quantile(last, 0.5),
        "third child p99 µs": quantile(last, 0.99),
        "third child, processor, p50 µs": quantile(worked, 0.5),
    }


def commits(folder: Path, seconds: float = 2.0) -> dict[str, float]:
    """Return commits a second of one row each, and their quantiles in µs."""
    took: list[float] = []
    with closing(Journal(folder / "commits")) as journal:
        row = KillSwitched(on=True, reason="a row of usual length " * 10, ts=1)
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            journal.append([row])
            took.append((time.perf_counter() - began) * 1e6)
    rate = len(took) / seconds
    took.sort()
    return {
        "commits/s": rate,
        "commit p50 µs": quantile(took, 0.5),
        "commit p99 µs": quantile(took, 0.99),
    }


def recovery(folder: Path, children: int) -> dict[str, float]:
    """Return how long an engine takes to begin on a journal of so many children, in ms."""
    clock, path = SystemClock(), folder / "recovery"
    engine, wires, journal = begin(path, clock)
    with closing(journal):
        for number in range(children // len(VENUES) + 1):
            sweep = Liquidate(
                f"order-{number}", INSTRUMENT, OrderSide.BUY, Decimal(20), Sweep(rounds=1)
            )
            show(engine, clock)  # what the order before left of it
            engine.on_command(Command(f"c{number}", "bench", sweep))
            for venue, wire in wires.items():
                for _, _, child in wire.placed:
                    engine.on_order_event(venue, ChildClosed(child.child_id, Decimal(0)))
                wire.placed.clear()
        assert len(engine.orders.children) >= children
    began = time.perf_counter()
    with closing(Journal(path)) as journal:
        Engine(journal, LIMITS, clock, paper=True)
        took = time.perf_counter() - began
    return {f"recovery of {children} children ms": took * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=500, help="of each repetition  [500]")
    parser.add_argument("--children", type=int, default=1000, help="to recover  [1000]")
    parser.add_argument("--repeat", type=int, default=3, help="the median counts  [3]")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    say_machine()
    figures: list[dict[str, float]] = []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures.append(
                decisions(folder, options.orders)
                | commits(folder)
                | recovery(folder, options.children)
            )
    found = medians(figures)
    print_table("The execution engine", ("figure", "median"), list(found.items()))
    save("execution", found)


if __name__ == "__main__":
    main()
