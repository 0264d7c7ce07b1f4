"""A seed is a world: venues with their faults, customers, an engine that crashes, and the verdict.

Virtual time, no socket, no thread: the same seed is the same run. `make simulate-engine
ARGS="--seeds 20000"` runs many; `--seed 7` tells one. What is judged, by the venues' own count:

    fills of an order are never more than its quantity, at any moment
    no fill is worse than the order's limit, nor a child's limit than the collar and slippage bound
    nothing is placed after the answer to a cancel or kill, nor of an order that is over
    an order whose customer was told for good that it had not come is not taken when it comes
    no child is placed twice, and each that arrives at a venue is in the journal already
    at rest the engine has the venues' fills, each once, and each is reported once
    base, quote and fees are conserved between the venues' balances and the engine's fills
    the mid of an order's interval is of the mids that were shown, and of the time that was seen
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from typing import Any

import structlog
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import (
    FINAL_STATES,
    Algorithm,
    AnswerCode,
    Cancel,
    ChildState,
    Command,
    CommandAnswer,
    CommandBody,
    FinalStatusOf,
    ImplementationShortfall,
    Kill,
    Liquidate,
    OrderState,
    Pause,
    Replace,
    Report,
    ReportKind,
    Resume,
    Revive,
    Sweep,
    Twap,
    Urgency,
    order_id,
)
from dragonfly_venues.orders import ChildFill, ChildOrder, OrderEvent
from execution_engine.engine import Engine
from execution_engine.journal import Journal
from execution_engine.limits import InstrumentLimits, OrderLimits
from execution_engine.market import InstrumentBook, MarketRules, VenueTop
from execution_engine.orders import Parent
from reference_exchange import Faults, ReferenceExchange
from simulation.virtual import Schedule, VirtualClock

Sink = Callable[[OrderEvent], None]

ZERO = Decimal(0)
S_NS = 10**9
INSTRUMENT = "ETH-BTC"
TICK, LOT = Decimal("0.01"), Decimal("0.1")
COLLAR_BPS = Decimal(200)
BOOK_INTERVAL_S = 0.4
TICK_S = 0.1
HEALED_AT_S = 60.0
LONGEST_S = 240.0
PATIENCE_S = 10.0
"""Then a customer whose order was not answered asks, by another line, whether it came."""
ROUNDED_NS = 10
UNSEEN_S = 3.0
"""Of an interval, at most: what a crash forgets of it, and until the next life has a book."""


class CrashError(BaseException):
    """The engine's process ends here, at once."""


@dataclass
class Verdict:
    """What became of a seed."""

    seed: int
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Customer:
    """An order as its customer knows it."""

    command: Command
    order: Liquidate
    id: str = ""
    limit: Decimal | None = None
    quantity: Decimal = ZERO
    ended: bool = False
    """The answer to its cancel has come, or a kill: nothing more may be placed."""
    loosest: Decimal | None = None


class World:
    """One seed."""

    def __init__(
        self,
        seed: int,
        *,
        crash_at: int | None = None,
        faulty: bool = True,
        say: Callable[[float, str], None] | None = None,
    ) -> None:
        """`crash_at` is the moment (see `journal.Moment`) at which the one crash happens."""
        self.verdict = Verdict(seed)
        self.moments = 0
        self.say = say or (lambda _, __: None)
        self._chance = chance = random.Random(seed)
        self._lines = random.Random(f"{seed} lines")
        self._schedule = schedule = Schedule()
        self._clock = VirtualClock(schedule)
        self._journal = Journal(None, self._at)
        self._crashes = self._draw_crashes(faulty) if crash_at is None else [crash_at]
        self._faulty = faulty
        self._engine: Engine | None = None
        self._life = 0
        self._mid = Decimal(100)
        self._delivered = InstrumentBook()
        self._mids: list[tuple[int, Decimal]] = []
        """Each with the time at which the engine was shown it."""
        self._lives: list[list[int]] = []
        """When each began, and ended."""
        self._parent_of: dict[str, str] = {}
        self._placed: set[str] = set()
        self._filled: Counter[str] = Counter()
        self._sums: dict[str, Decimal] = {}
        self._customers: dict[str, Customer] = {}
        self._denied: set[str] = set()
        self._unanswered: dict[str, Command] = {}
        self._commands = 0
        self._killed = False
        self._busy_until = 0.0
        self._reports: dict[str, list[Report]] = {}
        self._limits = OrderLimits(
            {INSTRUMENT: InstrumentLimits(Decimal(10**6), Decimal(10**7), Decimal(10**8))},
            orders_per_second=Decimal(20),
            collar_bps=COLLAR_BPS,
        )
        names = ["binance", "kraken", "bitstamp"][: chance.randint(1, 3)]
        self.venues = {
            name: ReferenceExchange(
                name,
                schedule,
                random.Random(f"{seed}{name}"),
                self._draw_faults() if faulty else Faults(),
                fee=Decimal(chance.choice([0, 10, 26])) / 10_000,
                balances={"ETH": Decimal(chance.choice([40, 1000])), "BTC": Decimal(100_000)},
                now_ns=self._clock.now_ns,
            )
            for name in names
        }
        self._began = {name: dict(venue.balances) for name, venue in self.venues.items()}
        self._rules = {
            name: MarketRules(
                INSTRUMENT,
                TICK,
                chance.choice([LOT, LOT * 5]),
                Decimal(0),
                Decimal(chance.choice([0, 50, 100])),
            )
            for name in names
        }
        for name, venue in self.venues.items():
            venue.on_place = partial(self._judge_placement, name)
            venue.on_arrival = self._judge_arrival
            venue.on_fill = self._judge_fill

    def run(self) -> Verdict:
        """Live to the end, and return the verdict."""
        schedule = self._schedule
        self._start_engine()
        self._move_market()
        self._tick()
        self._plan_customers()
        schedule.after(HEALED_AT_S, self._heal)
        while schedule.now < LONGEST_S:
            schedule.run_until(schedule.now + 1.0)
            if schedule.now > self._busy_until and self._is_at_rest():
                break
        schedule.run_until(schedule.now + 2.0)
        self._judge_rest()
        self._journal.close()
        return self.verdict

    # The engine's lives

    def _at(self, moment: str) -> None:
        self.moments += 1
        if self._crashes and self.moments == self._crashes[0]:
            self._crashes.pop(0)
            self.say(self._schedule.now, f"crash {moment}")
            self.verdict.counts[f"crash {moment}"] += 1
            raise CrashError

    def _call(self, call: Callable[[Engine], Any]) -> Any:
        """Let the engine do something, unless it is dead; it may die of it."""
        if self._engine is None:
            return None
        try:
            return call(self._engine)
        except CrashError:
            self._die()
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine must not end of it
            self._violate(f"the engine failed: {type(error).__name__} {error}")
            self._die()
        return None

    def _die(self) -> None:
        if self._engine is not None:
            self._lives[-1].append(self._clock.now_ns())
        self._engine = None
        self._life += 1
        self._journal.abandon()
        for venue in self.venues.values():
            venue.hang_up()
        self._schedule.after(self._chance.uniform(0.05, 2.0), self._start_engine)

    def _start_engine(self) -> None:
        life = self._life
        try:
            engine = Engine(
                self._journal,
                self._limits,
                self._clock,
                paper=False,
                at=self._at,
            )
        except CrashError:
            self._die()
            return
        for name in self.venues:
            engine.market.rules[INSTRUMENT, name] = self._rules[name]
        self._engine = engine
        self._lives.append([self._clock.now_ns()])
        engine.ledger.on_report = lambda report: self._owe_reports(report.order_id)
        for name in engine.orders.parents:
            self._owe_reports(name, again=self._chance.randint(0, 2))
        for name, venue in self.venues.items():
            engine.attach(name, venue)
        for name, venue in self.venues.items():

            def sink(event: OrderEvent, name: str = name) -> None:
                if self._life == life:
                    self.say(self._schedule.now, f"{name}: {event}")
                    self._call(lambda engine: engine.on_order_event(name, event))

            def is_wanted(line: Sink, mine: Sink = sink) -> bool:
                return line is mine and self._life == life

            venue.is_wanted = is_wanted
            self._schedule.after(
                self._chance.uniform(0.01, 0.3),
                partial(self._connect, venue, sink, life),
            )
        for command in list(self._unanswered.values()):
            self._send(command)
        self._schedule.after(1.0, self._resume_paused)

    def _connect(self, venue: ReferenceExchange, sink: Sink, life: int) -> None:
        if self._life == life:
            venue.connect(sink)

    def _tick(self) -> None:
        if self._engine is not None and self._delivered.tops:
            self._engine.market.proven_at = self._schedule.now
        self._call(lambda engine: engine.tick())
        self._schedule.after(TICK_S, self._tick)

    def _resume_paused(self) -> None:
        engine = self._engine
        if engine is None or self._killed:
            return
        for parent in list(engine.orders.open_parents()):
            if parent.state is OrderState.PAUSED:
                self._send(self._command(Resume(parent.id)))

    # The market

    def _move_market(self) -> None:
        chance = self._chance
        self._mid = max(Decimal(50), self._mid + TICK * chance.randint(-8, 8))
        tops = {}
        for name, venue in self.venues.items():
            mid = self._mid + TICK * chance.randint(-3, 3)
            lot = self._rules[name].lot
            sizes = [[lot * chance.randint(5, 120) for _ in range(5)] for _ in range(2)]
            venue.bids = [[mid - TICK * (i + 1), sizes[0][i]] for i in range(5)]
            venue.asks = [[mid + TICK * (i + 1), sizes[1][i]] for i in range(5)]
            tops[name] = (
                tuple((p, a) for p, a in venue.bids),
                tuple((p, a) for p, a in venue.asks),
            )
        heard_ns, schedule = self._clock.now_ns(), self._schedule

        def deliver() -> None:
            book = InstrumentBook({n: VenueTop(b, a, heard_ns) for n, (b, a) in tops.items()})
            if self._engine is not None:
                self._delivered = book
                assert book.mid is not None
                self._mids.append((self._clock.now_ns(), book.mid))
                self._engine.market.proven_at = schedule.now
                self._call(lambda engine: engine.on_book(INSTRUMENT, book))

        self._schedule.after(chance.uniform(0.001, 0.02), deliver)
        self._schedule.after(chance.uniform(0.5, 1.5) * BOOK_INTERVAL_S, self._move_market)

    def _draw_faults(self) -> Faults:
        chance = self._chance
        faults = Faults()
        for name in vars(faults):
            if chance.random() < 0.35:
                setattr(faults, name, chance.choice([0.02, 0.1, 0.3]))
        return faults

    def _draw_crashes(self, faulty: bool) -> list[int]:
        count = self._chance.choice([0, 0, 1, 1, 2, 3]) if faulty else 0
        return sorted(self._chance.randint(1, 260) for _ in range(count))

    def _heal(self) -> None:
        self._crashes.clear()
        for venue in self.venues.values():
            venue.faults = Faults()
        self._resume_paused()
        self._schedule.after(5.0, self._end_what_is_left)

    def _end_what_is_left(self) -> None:
        for customer in self._customers.values():
            if customer.id and not customer.ended:
                self._send(self._command(Cancel(customer.id)))
        self._schedule.after(3.0, self._end_what_is_left)

    # Customers

    def _plan_customers(self) -> None:
        chance = self._chance
        for number in range(chance.randint(1, 4)):
            self._later(chance.uniform(1.0, 20.0), partial(self._order, number))
        if self._faulty and chance.random() < 0.15:
            self._later(chance.uniform(5.0, 25.0), self._kill)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        """Let a customer do something then; the seed is not over before."""
        self._schedule.after(seconds, call)
        self._busy_until = max(self._busy_until, self._schedule.now + seconds)

    def _order(self, number: int) -> None:
        chance = self._chance
        side = chance.choice(list(OrderSide))
        now_ns = self._clock.now_ns()
        end_ns = now_ns + chance.randint(5, 30) * 10**9
        algorithms: list[Algorithm] = [
            Sweep(rounds=chance.randint(1, 8)),
            Twap(end_ns=end_ns, interval_s=float(chance.randint(1, 5))),
            ImplementationShortfall(
                end_ns=end_ns, interval_s=2.0, urgency=chance.choice(list(Urgency))
            ),
        ]
        away = TICK * chance.choice([-2, 5, 20])
        limit = self._mid + (away if side is OrderSide.BUY else -away)
        order = Liquidate(
            f"order-{number}",
            INSTRUMENT,
            side,
            LOT * 5 * chance.randint(2, 160),
            chance.choice(algorithms),
            limit=chance.choice([None, limit, limit]),
            max_slippage_bps=chance.choice([None, Decimal(5), Decimal(30)]),
            venues=tuple(chance.sample(list(self.venues), 1)) if chance.random() < 0.2 else (),
            max_child=chance.choice([None, None, Decimal(10)]),
        )
        command = self._command(order)
        customer = Customer(command, order, limit=order.limit, quantity=order.quantity)
        customer.loosest = order.limit
        self._customers[command.id] = customer
        if self._faulty and self._lines.random() < 0.3:
            self._send_by_a_line_that_breaks(customer)
        else:
            self._send(command)
        if chance.random() < 0.3:
            self._later(chance.uniform(0.1, 10.0), lambda: self._change(customer))

    def _send_by_a_line_that_breaks(self, customer: Customer) -> None:
        """Send it twice: a copy may come after the later question, or while no engine is there."""
        given_up = False

        def arrive() -> None:
            answer = self._call(lambda engine: engine.on_command(customer.command))
            if answer is not None and not given_up:
                self._take_answer(customer.command, answer)

        def ask() -> None:
            nonlocal given_up
            given_up = True
            if not customer.id:
                self._send(self._command(FinalStatusOf(customer.order.client_id)))

        for _ in range(2):
            self._later(self._lines.uniform(0, 3 * PATIENCE_S), arrive)
        self._later(PATIENCE_S, ask)

    def _change(self, customer: Customer) -> None:
        chance = self._chance
        if not customer.id:
            return
        bodies: list[CommandBody] = [Cancel(customer.id), Cancel(customer.id)]
        bodies.append(Pause(customer.id))
        tighter = customer.limit
        if tighter is not None:
            better = -TICK if customer.order.side is OrderSide.BUY else TICK
            bodies.append(Replace(customer.id, limit=tighter + better))
        bodies.append(Replace(customer.id, quantity=customer.quantity - LOT * 5))
        body = chance.choice(bodies)
        self._send(self._command(body))
        if isinstance(body, Pause):
            self._later(2.0, lambda: self._send(self._command(Resume(customer.id))))

    def _kill(self) -> None:
        self._send(self._command(Kill("a drill")))
        self._later(self._chance.uniform(1.0, 15.0), lambda: self._send(self._command(Revive())))

    def _command(self, body: CommandBody) -> Command:
        self._commands += 1
        return Command(f"c{self._commands}", "alice", body)

    def _send(self, command: Command) -> None:
        self._unanswered[command.id] = command
        answer = self._call(lambda engine: engine.on_command(command))
        if answer is not None:
            self._take_answer(command, answer)
        elif self._engine is not None:
            raise AssertionError("no answer")

    def _take_answer(self, command: Command, answer: CommandAnswer) -> None:
        self.say(self._schedule.now, f"{command.body} -> {answer.code} {answer.text}")
        self._unanswered.pop(command.id, None)
        self.verdict.counts[f"{type(command.body).__name__} {answer.code}"] += 1
        body = command.body
        if isinstance(body, FinalStatusOf):
            (customer,) = (
                c for c in self._customers.values() if c.order.client_id == body.client_id
            )
            if answer.code is AnswerCode.NOT_FOUND:
                self._denied.add(order_id(command.owner, body.client_id))
                customer.ended = True
            customer.id = answer.order_id
        if answer.code is not AnswerCode.ACCEPTED:
            return
        by_id = {customer.id: customer for customer in self._customers.values()}
        match body:
            case Liquidate():
                self._customers[command.id].id = answer.order_id
            case Cancel():
                by_id[body.order_id].ended = True
            case Kill():
                self._killed = True
                for customer in self._customers.values():
                    customer.ended = customer.ended or bool(customer.id)
            case Revive():
                self._killed = False
            case Replace():
                customer = by_id[body.order_id]
                customer.limit = body.limit or customer.limit
                customer.quantity = body.quantity or customer.quantity

    # Reports, as a front end takes them

    def _take_report(self, report: Report) -> None:
        self.say(self._schedule.now, f"report {report.seq} {report.kind} {report.state}")
        known = self._reports.setdefault(report.order_id, [])
        if report.seq <= len(known):
            if known[report.seq - 1] != report:
                self._violate(f"report {report.order_id} {report.seq} was told differently")
            return
        if report.seq != len(known) + 1:
            self._violate(f"report {report.order_id} {report.seq} after {len(known)}")
        known.append(report)

    def _owe_reports(self, order_id: str, *, again: int = 0) -> None:
        """Give the front end what it has not, from the journal; some of it for a second time."""
        have = max(0, len(self._reports.get(order_id, ())) - again)
        while reports := self._journal.reports(order_id, have, 50):
            for report in reports:
                self._take_report(report)
            have = reports[-1].seq

    # Verdicts

    def _violate(self, text: str) -> None:
        self.say(self._schedule.now, f"VIOLATION {text}")
        self.verdict.violations.append(f"{self._schedule.now:.3f} {text}")

    def _customer_of(self, child: str) -> Customer | None:
        parent = self._parent_of[child]
        found = (one for one in self._customers.values() if one.id == parent)
        return next(found, None)

    def _judge_placement(self, venue: str, child: ChildOrder) -> None:
        self.verdict.counts["placed"] += 1
        engine = self._engine
        assert engine is not None
        if child.child_id in self._placed:
            self._violate(f"{child.child_id} is placed twice")
        self._placed.add(child.child_id)
        known = engine.orders.children[child.child_id]
        parent = engine.orders.parent_of(known)
        self._parent_of[child.child_id] = parent.id
        customer = self._customer_of(child.child_id)
        if self._killed or parent.state is not OrderState.RUNNING:
            self._violate(f"{child.child_id} is placed, the order is {parent.state}")
        if customer is not None and customer.ended:
            self._violate(f"{child.child_id} is placed after the end of its order")
        buys = child.side is OrderSide.BUY
        bounds = [COLLAR_BPS, parent.order.max_slippage_bps or COLLAR_BPS]
        mid = self._delivered.mid
        assert mid is not None
        away = (child.limit - mid) * (1 if buys else -1)
        if away * 10_000 > min(bounds) * mid:
            self._violate(f"{child.limit} is too far from {mid}")
        limit = customer.limit if customer is not None else parent.order.limit
        if limit is not None and (child.limit > limit if buys else child.limit < limit):
            self._violate(f"{child.limit} is worse than the limit {limit}")
        rules = self._rules[venue]
        if (
            child.amount % rules.lot
            or child.limit % rules.tick
            or child.amount * child.limit < rules.min_notional
        ):
            self._violate(f"{child.amount} at {child.limit} breaks the venue's rules")

    def _judge_arrival(self, child: ChildOrder) -> None:
        found = self._journal._db.execute(
            "SELECT count(*) FROM journal WHERE key = ?", (f"intent:{child.child_id}",)
        ).fetchone()
        if found != (1,):
            self._violate(f"{child.child_id} arrived, and is not in the journal")

    def _judge_fill(self, fill: ChildFill) -> None:
        self.verdict.counts["fills"] += 1
        parent = self._parent_of[fill.child_id]
        total = self._sums[parent] = self._sums.get(parent, ZERO) + fill.amount
        customer = self._customer_of(fill.child_id)
        if customer is None:
            return
        if total > customer.quantity:
            self._violate(f"{total} is filled of {customer.quantity}")
        loosest, buys = customer.loosest, customer.order.side is OrderSide.BUY
        if loosest is not None and (fill.price > loosest if buys else fill.price < loosest):
            self._violate(f"a fill at {fill.price} is worse than {loosest}")

    def _is_at_rest(self) -> bool:
        engine = self._engine
        return (
            engine is not None
            and not self._unanswered
            and not any(True for _ in engine.orders.open_parents())
            and all(customer.id or customer.ended for customer in self._customers.values())
        )

    def _judge_rest(self) -> None:
        engine = self._engine
        if engine is None or any(True for _ in engine.orders.open_parents()):
            states = engine and [
                (p.state, p.reason, [c.state for c in p.unsettled.values()])
                for p in engine.orders.open_parents()
            ]
            self._violate(f"not at rest: {states}")
            return
        told = {
            (venue, fill.trade_id): fill
            for venue, one in self.venues.items()
            for fill in one.trades
        }
        counted = {(venue, trade): row for (venue, _, trade), row in engine.orders.fills.items()}
        if told.keys() != counted.keys():
            self._violate(
                f"fills differ: missing {sorted(told.keys() - counted.keys())[:3]}, "
                f"invented {sorted(counted.keys() - told.keys())[:3]}"
            )
        for key in told.keys() & counted.keys():
            if (told[key].price, told[key].amount, told[key].fee) != (
                counted[key].price,
                counted[key].amount,
                counted[key].fee,
            ):
                self._violate(f"fill {key} differs")
        self._judge_conservation(engine)
        reported = Counter(
            (report.fill.venue, report.fill.trade_id)
            for reports in self._reports.values()
            for report in reports
            if report.kind is ReportKind.FILL and report.fill is not None
        )
        if reported.keys() != told.keys() or any(count != 1 for count in reported.values()):
            self._violate("fills are not reported once each")
        for denied in self._denied & engine.orders.parents.keys():
            self._violate(f"{denied} was denied, and was taken all the same")
        for parent in engine.orders.parents.values():
            self.verdict.counts[f"parent {parent.state}"] += 1
            last = self._reports[parent.id][-1]
            if last.state not in FINAL_STATES or last.cum != parent.filled or last.leaves:
                self._violate(f"the last report of {parent.id} does not say how it ended: {last}")
            self._judge_interval(parent)
        for child in engine.orders.children.values():
            self.verdict.counts[f"child {child.state}"] += 1
            if child.state is ChildState.NOT_ACCEPTED and any(
                child.intent.child_id in venue.orders for venue in self.venues.values()
            ):
                self._violate(f"{child.intent.child_id} is NOT_ACCEPTED, and its venue had it")

    def _judge_interval(self, parent: Parent) -> None:
        begin, end = parent.opened.opened_ns, parent.moved_ns
        interval = parent.interval
        if interval is None:
            if end - begin > UNSEEN_S * S_NS and len(self._lives) == 1:
                self._violate("an interval is not known")
            return
        begun = [mid for at, mid in self._mids if at <= begin][-1:]
        shown = begun + [mid for at, mid in self._mids if begin < at <= end]
        if not min(shown) <= interval.mid <= max(shown):
            self._violate(f"the mid {interval.mid} of an interval was never shown")
        if abs(interval.whole_ns - (end - begin)) > ROUNDED_NS:
            self._violate(f"an interval of {end - begin} ns is told as {interval.whole_ns}")
        ends = [one[1] if len(one) > 1 else end for one in self._lives]
        lived = [
            max(0, min(end, last) - max(begin, first))
            for (first, *_), last in zip(self._lives, ends, strict=True)
        ]
        if interval.seen_ns > sum(lived) + ROUNDED_NS:
            self._violate("an interval is seen for longer than the engine lived")
        if sum(lived) - interval.seen_ns > len(lived) * UNSEEN_S * S_NS:
            self._violate(f"an interval is seen for {interval.seen_ns} ns of {sum(lived)}")

    def _judge_conservation(self, engine: Engine) -> None:
        for name, venue in self.venues.items():
            expected = dict(self._began[name])
            for row in engine.orders.fills.values():
                if row.venue == name:
                    intent = engine.orders.children[row.child_id].intent
                    sign = intent.side.sign
                    expected["ETH"] += sign * row.amount
                    expected["BTC"] -= sign * row.amount * row.price + row.fee
            if expected != venue.balances:
                self._violate(f"{name}: {expected} by the fills, {venue.balances} in fact")


def judge(seed: int) -> Verdict:
    """Run one seed."""
    return World(seed).run()


def quieten() -> None:
    def drop(*_: object) -> Any:
        raise structlog.DropEvent

    structlog.configure(processors=[drop], cache_logger_on_first_use=True)


def _verdicts(seeds: range, jobs: int) -> Iterator[Verdict]:
    gc.freeze()
    if jobs == 1:
        yield from map(judge, seeds)
        return
    with get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(judge, seeds, chunksize=8)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate-engine ARGS=…", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many to run  [1000]")
    parser.add_argument("--first", type=int, default=0, help="the first of them  [0]")
    parser.add_argument("--seed", type=int, help="run this one only, and tell what happens")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in  [1]")
    options = parser.parse_args()
    quieten()
    if options.seed is not None:
        told = World(options.seed, say=lambda at, text: print(f"{at:9.3f} {text}")).run()
        print(told)
        return int(bool(told.violations))
    if options.seeds > 500:
        os.nice(10)
    began, violated = time.monotonic(), 0
    counts: Counter[str] = Counter()
    seeds = range(options.first, options.first + options.seeds)
    for done, verdict in enumerate(_verdicts(seeds, options.jobs), 1):
        counts += verdict.counts
        if not done % 500:
            spent_s = time.monotonic() - began
            print(f"{done} of {len(seeds)} in {spent_s:.0f} s, {violated} violated", flush=True)
        if verdict.violations:
            violated += 1
            print(f"seed {verdict.seed}: {verdict.violations[:3]}", flush=True)
    spent_s = time.monotonic() - began
    for name, count in sorted(counts.items()):
        print(f"{count:10}  {name}")
    print(f"{options.seeds} seeds in {spent_s:.0f} s, {violated} violated")
    return int(bool(violated))


if __name__ == "__main__":
    sys.exit(main())
