"""Decisions: when an order is over, what is due of it, the plan, and the one way out to a venue.

An intent passes every limit, is committed, and is sent: once, and only if nothing was killed
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final
from uuid import uuid5

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.types import OrderSide
from dragonfly_orders.messages import NAMESPACE, ChildState, OrderState, Sweep

from execution_engine import counters
from execution_engine.algorithms.schedules import Schedule, schedule_of
from execution_engine.desks import SEND_WITHIN_NS, Desk, Doubt
from execution_engine.interval import IntervalWatch
from execution_engine.journal import Moment
from execution_engine.ledger import Ledger
from execution_engine.limits import Intent, OrderFacts, OrderLimits, check, standing, worst_price
from execution_engine.market import InstrumentBook, KnownMarkets, MarketRules
from execution_engine.orders import Child, Parent
from execution_engine.planning import Piece, VenueOffer, spared, sweep, visible
from execution_engine.rows import ChildIntended, IntervalSeen

__all__ = ["Decisions", "child_id"]

ZERO: Final = Decimal(0)
S_NS: Final = 10**9
FRESH_BOOK_S: Final = 1.0
"""After a child's end its venue is used again when its book is newer, or so much later."""
SWEEP_PATIENCE_S: Final = 5.0
"""A sweep that finds nothing to take for so long is over."""

logger = structlog.get_logger()


def child_id(parent: str, number: int) -> str:
    """Return the id of an order's child, which its venue knows it by: the same after a crash."""
    return str(uuid5(NAMESPACE, f"{parent}:{number}"))


class Decisions:
    """Of all orders."""

    def __init__(
        self,
        ledger: Ledger,
        desks: Mapping[str, Desk],
        market: KnownMarkets,
        limits: OrderLimits,
        clock: Clock,
        *,
        paper: bool,
        killed: Callable[[], bool],
        at: Moment,
    ) -> None:
        """`killed` says whether nothing may be sent; for `at` see `journal.Moment`."""
        self._ledger = ledger
        self._desks = desks
        self._market = market
        self._limits = limits
        self._clock = clock
        self._paper = paper
        self._killed = killed
        self._at = at
        self._schedules: dict[str, tuple[Decimal, Schedule]] = {}
        self._intervals: dict[str, IntervalWatch] = {}
        self._held_back: dict[str, str] = {}

    def decide(self, parent: Parent) -> None:
        """Do what an order needs now: nothing, end it, or send what is due of it."""
        self._watch_interval(parent)
        if parent.state is OrderState.PAUSED and not self._is_over(parent):
            return
        if self._end_if_over(parent) or parent.state is not OrderState.RUNNING:
            return
        if parent.in_flight or self._killed():
            return
        wanted = self._wanted(parent)
        if wanted <= 0:
            return
        planned = [self._intend(parent, piece) for piece in self.plan(parent, wanted)]
        self._ledger.commit()
        for child in planned:
            if child is not None:
                self._send(child)

    def _is_over(self, parent: Parent) -> bool:
        return parent.filled >= parent.quantity and not parent.unsettled

    def _end_if_over(self, parent: Parent) -> bool:
        """End an order that is over; False while it is not, or some child's fate is unknown."""
        if parent.unsettled:
            return False
        left = parent.quantity - parent.filled
        if left <= 0:
            self._ledger.move(parent, OrderState.DONE, "")
        elif parent.state is OrderState.CANCELLING:
            self._ledger.move(parent, OrderState.CANCELLED, parent.reason)
        elif parent.state is OrderState.RUNNING and left < self._least(parent):
            self._ledger.move(
                parent, OrderState.DONE, f"{left} is left, which is less than any venue takes"
            )
        elif parent.state is OrderState.RUNNING and (why := self._time_is_up(parent)):
            held = self._held_back.get(parent.id)
            self._ledger.move(
                parent, OrderState.EXPIRED, f"{left} is left: {why}" + (f"; {held}" if held else "")
            )
        if parent.final:
            self._note_interval(parent)
            del self._intervals[parent.id]
            self._schedules.pop(parent.id, None)
            self._held_back.pop(parent.id, None)
        return parent.final

    def _watch_interval(self, parent: Parent) -> None:
        watch = self._intervals.get(parent.id)
        if watch is None:
            watch = self._intervals[parent.id] = IntervalWatch(parent)
        watch.look(self._market.mid(parent.order.instrument), self._clock.monotonic())
        self._note_interval(parent)

    def _note_interval(self, parent: Parent) -> None:
        now_ns = self._clock.now_ns()
        seen = self._intervals[parent.id].due(now_ns, over=parent.final)
        if seen is not None:
            self._ledger.note(IntervalSeen(parent.id, seen, now_ns))

    def _time_is_up(self, parent: Parent) -> str:
        algorithm, now_ns = parent.order.algorithm, self._clock.now_ns()
        if isinstance(algorithm, Sweep):
            if parent.rounds >= algorithm.rounds:
                return f"{algorithm.rounds} rounds are over"
            last = max(parent.moved_ns, parent.opened.opened_ns, parent.ended_ns)
            waited = now_ns - last > SWEEP_PATIENCE_S * S_NS
            return f"nothing could be taken for {SWEEP_PATIENCE_S:g} s" if waited else ""
        end_ns = self._schedule(parent).end_ns
        return "its time is over" if end_ns is not None and now_ns >= end_ns else ""

    def _schedule(self, parent: Parent) -> Schedule:
        quantity, schedule = self._schedules.get(parent.id, (None, None))
        if schedule is None or quantity != parent.quantity:
            schedule = schedule_of(parent.opened, parent.quantity)
            self._schedules[parent.id] = parent.quantity, schedule
        return schedule

    def _wanted(self, parent: Parent) -> Decimal:
        """Return how much is to be sent now: what is due, and no rest that nobody takes."""
        if self._time_is_up(parent):
            return ZERO
        schedule, now_ns = self._schedule(parent), self._clock.now_ns()
        due = schedule.due(now_ns) - parent.filled - parent.reserved
        if schedule.most_at_once is not None:
            begin_ns = schedule.slice_begin_ns(now_ns)
            due = min(due, schedule.most_at_once - parent.taken_since(begin_ns))
        remaining = parent.remaining
        if ZERO < remaining - due < self._least(parent) and due > 0:
            due = remaining
        return min(due, remaining)

    def _least(self, parent: Parent) -> Decimal:
        """Return the least amount that any of the order's venues takes, at today's price."""
        mid = self._market.mid(parent.order.instrument)
        if mid is None:
            return parent.opened.least
        return min(
            (rules.least(mid) for _, rules in self._rules_of(parent)), default=parent.opened.least
        )

    def _rules_of(self, parent: Parent) -> Iterable[tuple[str, MarketRules]]:
        chosen: Collection[str] = parent.order.venues or self._desks
        for venue in self._desks:
            rules = self._market.rules.get((parent.order.instrument, venue))
            if venue in chosen and rules is not None:
                yield venue, rules

    def plan(self, parent: Parent, wanted: Decimal) -> list[Piece]:
        """Return the best way to take `wanted` of an order's instrument now, by venue."""
        mid = self._market.mid(parent.order.instrument)
        if mid is None:
            self._held_back[parent.id] = "no live book has both sides"
            return []
        worst = worst_price(
            parent.order.side, mid, parent.limit, parent.order.max_slippage_bps, self._limits
        )
        offers = [
            offer
            for venue, rules in self._rules_of(parent)
            if (offer := self._offer(parent, venue, rules, worst)) is not None
        ]
        pieces = sweep(parent.order.side, wanted, offers)
        if not pieces:
            self._held_back.setdefault(parent.id, "no venue offers it within the limits")
        return spared(
            pieces, parent.remaining, self._least(parent), {one.venue: one.rules for one in offers}
        )

    def _offer(
        self, parent: Parent, venue: str, rules: MarketRules, worst: Decimal
    ) -> VenueOffer | None:
        order, book = parent.order, self._market.books[parent.order.instrument]
        top = book.tops.get(venue)
        if top is None or not self._is_fresh(venue, order.instrument, top.heard_ns):
            return None
        buys = order.side is OrderSide.BUY
        levels = tuple(
            level
            for level in top.taken_by(order.side)
            if (level[0] <= worst if buys else level[0] >= worst)
        )
        intent = Intent(order.instrument, venue, order.side, rules.lot, worst)
        facts = self._facts(parent, intent)
        budget, fee = facts.balance, facts.fee
        refusal = standing(intent, facts, self._limits)
        if refusal is not None:
            self._hold_back(parent, refusal.rule, refusal.text)
        if refusal is not None or not levels or budget is None or fee is None:
            return None
        most = visible(levels, order.side, worst) * self._limits.depth_share
        if order.max_child is not None:
            most = min(most, order.max_child)
        if order.min_child is not None and order.min_child <= parent.remaining:
            rules = replace(rules, min_amount=max(rules.min_amount, order.min_child))
        return VenueOffer(venue, rules, levels, fee, most, budget)

    def _is_fresh(self, venue: str, instrument: str, heard_ns: int) -> bool:
        """Say whether a venue's book shows what the last child there left of it, of any order."""
        ended_ns = self._ledger.orders.ended_ns.get((venue, instrument), 0)
        return heard_ns > ended_ns or self._clock.now_ns() - ended_ns > FRESH_BOOK_S * S_NS

    def _facts(self, parent: Parent, intent: Intent) -> OrderFacts:
        desk, now = self._desks[intent.venue], self._clock.monotonic()
        now_ns, orders = self._clock.now_ns(), self._ledger.orders
        rules = self._market.rules.get((intent.instrument, intent.venue))
        book = self._market.books.get(intent.instrument, InstrumentBook())
        top = book.tops.get(intent.venue)
        per_second = min(desk.entry.places_per_second, float(self._limits.orders_per_second))
        reserved = sum((c.reserved * c.intent.limit for c in parent.unsettled.values()), ZERO)
        worst = intent.limit
        if book.mid is not None:
            worst = worst_price(
                intent.side, book.mid, parent.limit, parent.order.max_slippage_bps, self._limits
            )
        return OrderFacts(
            killed=self._killed(),
            paper=self._paper,
            parent_state=parent.state,
            parent_limit=parent.limit,
            max_slippage_bps=parent.order.max_slippage_bps,
            remaining=parent.remaining,
            parent_notional=parent.notional + reserved,
            day_notional=orders.day_notional(intent.instrument, now_ns),
            open_children=len(orders.unsettled),
            venue_ready=desk.is_ready(now),
            rules=rules,
            mid=book.mid,
            book_age_s=None
            if top is None or self._market.proven_at is None
            else Decimal(now - self._market.proven_at),
            visible=ZERO if top is None else visible(top.taken_by(intent.side), intent.side, worst),
            balance=self._free(desk, intent),
            fee=None if rules is None else desk.fee(rules.venue_symbol),
            tokens=desk.tokens(now, per_second),
            unknown_at_venue=sum(
                child.state is ChildState.UNKNOWN for child in orders.at_venue(intent.venue)
            ),
            refused_in_a_row=desk.refused_in_a_row,
        )

    def _free(self, desk: Desk, intent: Intent) -> Decimal | None:
        """Return what a child may spend: the balance, less what others at the venue may."""
        if desk.account is None:
            return None
        base, quote = intent.instrument.split("-")
        buys = intent.side is OrderSide.BUY
        free = desk.balances.get(quote if buys else base, ZERO)
        for child in self._ledger.orders.at_venue(intent.venue):
            its_base, its_quote = child.intent.instrument.split("-")
            if child.intent.side is OrderSide.BUY and its_quote == (quote if buys else base):
                fee = desk.fee(child.intent.venue_symbol) or ZERO
                free -= child.reserved * child.intent.limit * (1 + fee)
            elif child.intent.side is OrderSide.SELL and its_base == (quote if buys else base):
                free -= child.reserved
        return free

    def _intend(self, parent: Parent, piece: Piece) -> Child | None:
        """Note an intent that keeps every limit; it is sent when it is durable."""
        order = parent.order
        intent = Intent(order.instrument, piece.venue, order.side, piece.amount, piece.limit)
        refusal = check(intent, self._facts(parent, intent), self._limits)
        if refusal is not None:
            counters.LIMIT_REFUSALS.labels(refusal.rule).inc()
            self._hold_back(parent, refusal.rule, refusal.text)
            return None
        number = len(parent.children) + 1
        row = ChildIntended(
            child_id(parent.id, number),
            parent.id,
            number,
            parent.rounds if parent.in_flight else parent.rounds + 1,
            piece.venue,
            self._market.rules[order.instrument, piece.venue].venue_symbol,
            order.instrument,
            order.side,
            piece.amount,
            piece.limit,
            self._clock.now_ns(),
            self._desks[piece.venue].entry.time_ns(),
        )
        self._ledger.note(row)
        child = self._ledger.orders.children[row.child_id]
        self._ledger.report_child(child)
        self._desks[piece.venue].spend_token()
        self._held_back.pop(parent.id, None)
        return child

    def _send(self, child: Child) -> None:
        """Send what is intended and durable: once, and never again."""
        intent, now = child.intent, self._clock.monotonic()
        desk = self._desks[intent.venue]
        desk.doubts[intent.child_id] = Doubt(now, now + 1.0)
        if self._killed():
            text = "not sent: the kill switch is thrown"
            self._ledger.end(child, ChildState.REFUSED, ZERO, text)
            return
        self._at("before send")
        desk.entry.place(intent.order((intent.venue_ns or intent.ts) + SEND_WITHIN_NS))
        self._at("after send")

    def _hold_back(self, parent: Parent, rule: str, text: str) -> None:
        if self._held_back.get(parent.id) != text:
            self._held_back[parent.id] = text
            logger.debug("held back", order=parent.id, rule=rule, reason=text)
