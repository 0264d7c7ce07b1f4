"""What became of children: what venues say of them, and what is asked where they do not.

Silence never ends a doubt, and what contradicts an end reopens it: whatever a venue might still
fill stays reserved until its own word says that it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_orders.messages import ChildState, FillNews, OrderState, ReportKind
from dragonfly_venues.orders import (
    ChildAccepted,
    ChildFill,
    ChildRefused,
    OpenOrders,
    OrderReport,
)

from execution_engine import counters
from execution_engine.desks import Desk, Doubt
from execution_engine.ledger import Ledger
from execution_engine.orders import Child
from execution_engine.rows import ChildAnswered, ChildDenied, ChildDoubted, FillCounted

__all__ = ["Fates"]

ZERO: Final = Decimal(0)
S_NS: Final = 10**9
ANSWER_LIMIT_S: Final = 5.0
"""A child of which nothing was heard for so long is in doubt, whatever its venue's client says."""
REVOCABLE: Final = frozenset({ChildState.REFUSED, ChildState.NOT_ACCEPTED, ChildState.RESOLVED})
"""Ends after which its venue should know nothing of the child: if it does, they were wrong."""
PROOFS_NEEDED: Final = 3
PROOF_INTERVAL_S: Final = 1.0
TRADES_OF_S: Final = 86_400
"""How far back trades are asked for where none is known."""

logger = structlog.get_logger()


class Fates:
    """Of all children at all venues."""

    def __init__(self, ledger: Ledger, desks: Mapping[str, Desk], clock: Clock) -> None:
        self._ledger = ledger
        self._desks = desks
        self._clock = clock

    def accepted(self, event: ChildAccepted) -> None:
        """Take it that its venue has a child."""
        child = self._ledger.orders.children.get(event.child_id)
        if child is None:
            return
        if child.state in REVOCABLE:
            self._contradicted("open_after_all", child, "its venue has it")
        if child.state in {ChildState.SENT, ChildState.UNKNOWN}:
            self._ledger.note(
                ChildAnswered(event.child_id, event.venue_order_id, self._clock.now_ns())
            )
            if self._ledger.orders.parent_of(child).state is OrderState.CANCELLING:
                self.cancel(child)

    def count(self, venue: str, fill: ChildFill) -> None:
        """Count a fill, unless it has been: by the venue's id of the trade, and nothing else."""
        child = self._ledger.orders.children.get(fill.child_id)
        if child is None:
            counters.FOREIGN_ORDERS.labels(venue).inc()
            return
        if child.intent.venue != venue or not _is_sound(fill):
            self._alarm("unsound_fill", child, f"{venue} told a fill that cannot be: {fill}")
            return
        # A trade's id is unique in a symbol, however its venue spells the symbol here.
        symbol = child.intent.venue_symbol
        known = self._ledger.orders.fills.get((venue, symbol, fill.trade_id))
        if known is not None:
            if (known.child_id, known.price, known.amount) != (
                fill.child_id,
                fill.price,
                fill.amount,
            ):
                self._alarm("fill_differs", child, f"trade {fill.trade_id} was told differently")
            return
        self._ledger.note(
            FillCounted(
                fill.child_id,
                venue,
                symbol,
                fill.trade_id,
                fill.price,
                fill.amount,
                fill.fee,
                fill.fee_asset,
                fill.ts_event,
                self._clock.now_ns(),
            )
        )
        counters.FILLS.labels(venue).inc()
        self._book_fill(child, fill)
        parent = self._ledger.orders.parent_of(child)
        news = FillNews(
            venue,
            fill.trade_id,
            fill.price,
            fill.amount,
            fill.fee,
            fill.fee_asset,
            fill.ts_event,
        )
        self._ledger.report(parent, ReportKind.FILL, child=child, fill=news)
        if child.state in REVOCABLE:
            self._contradicted("late_fill", child, "it is filled all the same")
        if child.state is ChildState.CLOSED and child.filled > child.told_filled:
            text = f"{child.filled} is filled of what was over with {child.told_filled}"
            self._alarm("late_fill", child, text)
        if (fill.price - child.intent.limit) * child.intent.side.sign > 0:
            text = f"it is filled at {fill.price}, beyond its limit {child.intent.limit}"
            self._alarm("through_limit", child, text)
        if child.filled > child.intent.amount or parent.filled > parent.quantity:
            text = (
                f"{child.filled} is filled of {child.intent.amount}, of the order {parent.filled}"
            )
            self._alarm("overfill", child, text)

    def closed(self, venue: str, child: str, filled: Decimal, text: str) -> None:
        """Take a child's end, with what its venue says is filled of it."""
        found = self._ledger.orders.children.get(child)
        if found is None or found.intent.venue != venue:
            return
        if found.state is ChildState.CLOSED and found.told_filled >= filled:
            return
        self._ledger.end(found, ChildState.CLOSED, filled, text)
        self._desks[venue].refused_in_a_row = 0

    def refused(self, desk: Desk, event: ChildRefused) -> None:
        """Take it that a child never was at its venue, unless it was."""
        child = self._ledger.orders.children.get(event.child_id)
        if child is None or child.state in REVOCABLE:
            return
        if child.state not in {ChildState.SENT, ChildState.UNKNOWN} or child.was_there:
            self._alarm("refused_but_known", child, f"refused ({event.text}) after it was accepted")
            return
        desk.refused_in_a_row += 1
        self._ledger.end(child, ChildState.REFUSED, ZERO, f"{event.code} {event.text}".strip())

    def doubt(self, child: str, reason: str) -> None:
        """Take it that nobody knows what became of a child that is at its venue, or on its way."""
        found = self._ledger.orders.children.get(child)
        if found is not None and found.state in {ChildState.SENT, ChildState.OPEN}:
            self._take_up(found, reason)

    def take_report(self, desk: Desk, event: OrderReport, now: float) -> None:
        """Take the answer to a query."""
        child = self._ledger.orders.children.get(event.child_id)
        if child is None:
            return
        for fill in event.fills:
            self.count(child.intent.venue, fill)
        if not event.known:
            self._take_denial(child, now)
        elif event.open:
            self.accepted(ChildAccepted(event.child_id, event.venue_order_id))
            self.cancel(child)  # what is immediate or cancel never rests
        else:
            self.closed(child.intent.venue, event.child_id, event.filled, event.text)

    def take_open_orders(self, desk: Desk, event: OpenOrders) -> None:
        """Take what rests at a venue: nothing of ours may."""
        desk.open_orders_known = True
        for order in event.orders:
            child = self._ledger.orders.children.get(order.client_id)
            if child is None:
                counters.FOREIGN_ORDERS.labels(desk.entry.venue).inc()
                logger.warning("foreign order", venue=desk.entry.venue, order=order.venue_order_id)
            else:
                self.accepted(ChildAccepted(order.client_id, order.venue_order_id))
                self.cancel(child)

    def connected(self, desk: Desk) -> None:
        """Begin anew with a venue: ask for all that may have been missed."""
        now, venue = self._clock.monotonic(), desk.entry.venue
        desk.lost()
        desk.connected = True
        desk.trades_missing = {
            child.intent.venue_symbol
            for child in self._ledger.orders.children.values()
            if child.intent.venue == venue
        }
        for child in self._ledger.orders.at_venue(venue):
            self._doubt_of(child).next_query = now
        logger.info("account connected", venue=venue)

    def look_into_doubts(self, venue: str, desk: Desk, now: float) -> None:
        """Ask about each child whose fate should be known by now."""
        unknown = 0
        unsettled = {child.intent.child_id: child for child in self._ledger.orders.at_venue(venue)}
        for gone in desk.doubts.keys() - unsettled.keys():
            del desk.doubts[gone]
        for name, child in unsettled.items():
            doubt = self._doubt_of(child)
            if child.state is ChildState.SENT and now - doubt.since > ANSWER_LIMIT_S:
                self.doubt(name, f"no answer for {ANSWER_LIMIT_S:g} s")
            unknown += child.state is ChildState.UNKNOWN
            asks = child.state is not ChildState.SENT and now >= doubt.next_query
            if asks and desk.connected and now >= desk.quiet_until:
                doubt.asked(now, late=desk.is_too_late(child.intent, now))
                self._ledger.after_commit(partial(desk.entry.query, child.intent.order()))
        counters.UNKNOWN_CHILDREN.labels(venue).set(unknown)

    def is_denied(self, child: Child) -> bool:
        """Say whether its venue has denied a child often, and late, enough."""
        return child.denials >= PROOFS_NEEDED

    def trades_since(self, venue: str, symbol: str) -> tuple[str, int]:
        """Return the last trade that is known of a symbol, and a time before which all are."""
        last = self._ledger.orders.last_trades.get((venue, symbol), "")
        return last, self._clock.now_ns() - TRADES_OF_S * S_NS

    def cancel(self, child: Child) -> None:
        """Ask for a child's end, where its venue can be reached."""
        desk = self._desks.get(child.intent.venue)
        if desk is not None and desk.connected:
            self._ledger.after_commit(partial(desk.entry.cancel, child.intent.order()))

    def _book_fill(self, child: Child, fill: ChildFill) -> None:
        desk = self._desks.get(child.intent.venue)
        if desk is None:
            return
        base, quote = child.intent.instrument.split("-")
        sign = child.intent.side.sign
        changes = (
            (base, sign * fill.amount),
            (quote, -sign * fill.amount * fill.price),
            (fill.fee_asset, -fill.fee),
        )
        for asset, change in changes:
            desk.balances[asset] = desk.balances.get(asset, ZERO) + change

    def _alarm(self, what: str, child: Child, text: str) -> None:
        """Say what must not be, and pause the order: a person has to look."""
        counters.ALARMS.labels(what).inc()
        parent = self._ledger.orders.parent_of(child)
        logger.error("alarm", what=what, order=parent.id, child=child.intent.child_id, reason=text)
        if parent.state is OrderState.RUNNING:
            self._ledger.move(parent, OrderState.PAUSED, f"{child.intent.venue}: {text}")

    def _contradicted(self, what: str, child: Child, text: str) -> None:
        """Take up again a child of which its venue should have known nothing.

        What of it may still be filled is reserved again, until its venue says how it ended.
        """
        reason = f"it was {child.state}, and {text}"
        self._alarm(what, child, reason)
        self._take_up(child, reason)

    def _take_up(self, child: Child, reason: str) -> None:
        """Have it asked about at once: its fate is in doubt."""
        self._ledger.note(ChildDoubted(child.intent.child_id, reason, self._clock.now_ns()))
        self._ledger.report_child(child)
        doubt = self._doubt_of(child)
        doubt.next_query, doubt.alarmed = self._clock.monotonic(), False

    def _take_denial(self, child: Child, now: float) -> None:
        """Take it that a venue does not know a child: proof only late, often, and if it never did.

        An answer counts where it was asked for when the child could not be on its way any more.
        """
        doubt = self._doubt_of(child)
        if not doubt.asked_late:
            return
        if child.state is ChildState.OPEN:
            self.doubt(child.intent.child_id, "its venue does not know it any more")
        if child.state is not ChildState.UNKNOWN or now - doubt.counted_at < PROOF_INTERVAL_S:
            return
        doubt.counted_at = now
        if not self.is_denied(child):
            self._ledger.note(ChildDenied(child.intent.child_id, self._clock.now_ns()))
        if not self.is_denied(child):
            return
        if not child.was_there:
            self._ledger.end(child, ChildState.NOT_ACCEPTED, ZERO, "the venue never had it")
        elif not doubt.alarmed:
            doubt.alarmed = True
            self._alarm("vanished", child, "its venue had it, and does not know it any more")

    def _doubt_of(self, child: Child) -> Doubt:
        now = self._clock.monotonic()
        doubts = self._desks[child.intent.venue].doubts
        return doubts.setdefault(child.intent.child_id, Doubt(now, now + 1.0))


def _is_sound(fill: ChildFill) -> bool:
    numbers = (fill.price, fill.amount)
    return fill.fee.is_finite() and all(one.is_finite() and one > 0 for one in numbers)
