"""What an order costs over half an hour of recorded books: by the engine, and by simpler means.

    python bench/execution_cost.py [--minutes M] [--seed N] [--rate RATE] [--latency-ms MS]

The books of three venues are recorded first: the simulated market of `dragonfly simulator --seed N
--rate RATE`, whose states are the same for everybody. Then they are replayed, in virtual time, to
an engine that is given an order each ten seconds, buys and sells in turn, of a twentieth, a seventh
and a third of what the three show. It trades on paper: an order takes what the venue shows when it
arrives. The same orders are worked three ways, each in a world of its own:

    sweep         over all venues, by price after fees
    one venue     only at the one that is the cheapest alone, after fees, at the decision
    by raw price  over all venues, by an engine that knows of no fees, and pays them

Shortfall is what was paid after fees, and for the rest the mid at the end, against the mid at
arrival. The optimum is what all of it would cost at arrival, without latency and limits.
Figures go to build/bench/execution_cost.json.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Final

import structlog
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import FINAL_STATES, Command, Liquidate, Sweep
from dragonfly_pricing.offers import Offer
from dragonfly_pricing.walking import Execution, walk
from dragonfly_venues.orders import AccountState, EntryConnected, OrderEvent
from execution_engine.engine import Engine
from execution_engine.journal import Journal
from execution_engine.limits import OrderLimits
from execution_engine.market import InstrumentBook, MarketRules, VenueTop
from execution_engine.orders import Parent
from execution_engine.paper import PaperVenue
from measuring import print_table, quantile, save
from venue_simulator.catalogue import CATALOGUE
from venue_simulator.market import BookWalk
from venue_simulator.venues import VENUES as SIMULATED

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from simulation.virtual import START_NS, Schedule, VirtualClock

INSTRUMENT: Final = "ETH-BTC"
VENUES: Final = ("binance", "bitstamp", "kraken")
TABLES: Final[Mapping[str, Mapping[str, int]]] = {
    "10, 30 and 26 bps": {"binance": 10, "bitstamp": 30, "kraken": 26},
    "10 bps everywhere": dict.fromkeys(VENUES, 10),
}
LEVELS: Final = 20
ORDER_INTERVAL_S: Final = 10.0
TICK_S: Final = 0.1
SHARES: Final = (Decimal(1) / 20, Decimal(1) / 7, Decimal(1) / 3)
LOT: Final = Decimal("0.001")

State = tuple[float, str, VenueTop]
"""When, at which venue, and what it showed from then on."""


@dataclass(frozen=True)
class Cost:
    """What became of an order."""

    shortfall_bps: float
    optimum_bps: float
    unfilled: float
    """Share of its quantity."""


def record(seconds: float, seed: int, rate: float) -> list[State]:
    """Return every state of the venues' books, in its time."""
    (asset,) = (one for one in CATALOGUE if one.instrument == INSTRUMENT)
    states: list[State] = []
    for turn, venue in enumerate(VENUES, 1):
        book = BookWalk(asset, SIMULATED[venue].list_asset(asset), venue, seed)
        for number in range(int(seconds * rate) + 1):
            at = (number + turn / len(VENUES)) / rate
            bids, asks = (
                tuple((Decimal(price), Decimal(amount)) for price, amount in side[:LEVELS])
                for side in book.step()
            )
            states.append((at, venue, VenueTop(bids, asks, START_NS + round(at * 1e9))))
    return sorted(states, key=lambda state: state[0])


class World:
    """One engine over the recorded books, and its orders."""

    def __init__(
        self, states: Sequence[State], fees: Mapping[str, int], latency_s: float, way: str
    ) -> None:
        self._states = iter(states)
        self._fees = fees
        self._way = way
        self._schedule = schedule = Schedule()
        self._clock = clock = VirtualClock(schedule)
        self._tops: dict[str, VenueTop] = {}
        self._journal = Journal(None)
        limits = OrderLimits({}, orders_per_second=Decimal(1000))
        self._engine = engine = Engine(self._journal, limits, clock, paper=True)
        for venue in VENUES:
            on_event = partial(self._on_event, venue)
            entry = PaperVenue(
                venue,
                Decimal(fees[venue]) / 10_000,
                latency_s,
                top_of=lambda _, venue=venue: self._tops.get(venue),  # type: ignore[misc]
                assets=lambda: INSTRUMENT.split("-"),
                later=schedule.after,
                now_ns=clock.now_ns,
                on_event=on_event,
            )
            engine.attach(venue, entry)
            engine.market.rules[INSTRUMENT, venue] = MarketRules(
                INSTRUMENT, Decimal("0.00000001"), LOT
            )
            schedule.after(0.0, partial(on_event, EntryConnected()))
        self._move()
        self._tick()

    def _on_event(self, venue: str, event: OrderEvent) -> None:
        if isinstance(event, AccountState) and self._way == "by raw price":
            event = AccountState(event.balances, {"": Decimal(0)})
        self._engine.on_order_event(venue, event)

    def _move(self) -> None:
        """Show the next state when its time has come."""
        following = next(self._states, None)
        if following is None:
            return
        at, venue, top = following

        def show() -> None:
            self._tops[venue] = top
            self._engine.market.proven_at = self._schedule.now
            self._engine.on_book(INSTRUMENT, InstrumentBook(dict(self._tops)))
            self._move()

        self._schedule.at(at, show)

    def _tick(self) -> None:
        self._engine.tick()
        self._schedule.after(TICK_S, self._tick)

    def costs(self, until: float) -> Iterator[tuple[Decimal, Cost]]:
        """Yield what orders cost, one after the other, each with its share of the depth."""
        number = 0
        while (begin := (number + 1) * ORDER_INTERVAL_S) < until - ORDER_INTERVAL_S:
            self._schedule.run_until(begin)
            side = (OrderSide.BUY, OrderSide.SELL)[number % 2]
            share = SHARES[number % len(SHARES)]
            number += 1
            depth = sum(
                (amount for top in self._tops.values() for _, amount in top.taken_by(side)),
                Decimal(0),
            )
            quantity = (depth * share).quantize(LOT)
            found = {venue: self._walked(side, quantity, venue) for venue in VENUES}
            best = min(found, key=lambda one: _rank(found[one], side))
            optimum = self._walked(side, quantity, *VENUES)
            order = Liquidate(
                f"order-{number}",
                INSTRUMENT,
                side,
                quantity,
                Sweep(),
                venues=(best,) if self._way == "one venue" else (),
            )
            command = Command(f"c{number}", "bench", order)
            parent = self._engine.orders.parents[self._engine.on_command(command).order_id]
            while parent.state not in FINAL_STATES:
                self._schedule.run_until(self._schedule.now + TICK_S)
            yield share, self._cost(parent, optimum)

    def _walked(self, side: OrderSide, quantity: Decimal, *venues: str) -> Execution:
        offers = [
            Offer(one, self._tops[one].taken_by(side), Decimal(self._fees[one])) for one in venues
        ]
        (found,) = walk(side, offers, [quantity], mid=self._engine.market.mid(INSTRUMENT))
        return found

    def _cost(self, parent: Parent, optimum: Execution) -> Cost:
        arrival, end = parent.opened.arrival_mid, self._engine.market.mid(INSTRUMENT)
        assert arrival is not None
        assert end is not None
        assert optimum.cost_bps is not None
        sign = parent.order.side.sign
        left = parent.quantity - parent.filled
        fees = sum(parent.fees.values(), Decimal(0))
        paid = parent.notional + sign * fees + left * end
        lost = sign * (paid - parent.quantity * arrival) / (parent.quantity * arrival)
        return Cost(float(lost * 10_000), float(optimum.cost_bps), float(left / parent.quantity))


def _rank(found: Execution, side: OrderSide) -> tuple[bool, Decimal]:
    return not found.complete, side.sign * (found.net_avg or Decimal(0))


def main() -> None:
    parser = argparse.ArgumentParser(description="What an order costs over recorded books.")
    parser.add_argument("--minutes", type=float, default=30.0, help="[30]")
    parser.add_argument("--seed", type=int, default=1, help="[1]")
    parser.add_argument("--rate", type=float, default=5.0, help="of each venue  [5]")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="[50]")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    seconds = given.minutes * 60
    states = record(seconds, given.seed, given.rate)
    told: dict[str, dict[str, float]] = {}
    for table, fees in TABLES.items():
        rows: list[tuple[Decimal, str, dict[str, float]]] = []
        for way in ("sweep", "one venue", "by raw price"):
            by_share: defaultdict[Decimal, list[Cost]] = defaultdict(list)
            world = World(states, fees, given.latency_ms / 1000, way)
            for share, cost in world.costs(seconds):
                by_share[share].append(cost)
            for share, costs in by_share.items():
                lost = sorted(one.shortfall_bps for one in costs)
                figures = {
                    "orders": len(costs),
                    "mean": fmean(lost),
                    "p95": quantile(lost, 0.95),
                    "optimum": fmean(one.optimum_bps for one in costs),
                    "unfilled %": 100 * fmean(one.unfilled for one in costs),
                }
                rows.append((share, way, figures))
                told[f"{table}, 1/{round(1 / share)}, {way}"] = figures
        rows.sort(key=lambda row: row[0])
        print_table(
            f"Shortfall in bps, fees {table}",
            ("of the depth", "way", *rows[0][2]),
            [(f"1/{round(1 / share)}", way, *figures.values()) for share, way, figures in rows],
        )
    save("execution_cost", told)


if __name__ == "__main__":
    main()
