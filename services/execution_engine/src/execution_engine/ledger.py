"""The ledger: every fact becomes a row, and all rows of a turn are committed together.

What follows from them, reports and calls to venues, leaves after the commit and never before.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_orders.messages import ChildState, FillNews, OrderState, Report, ReportKind

from execution_engine import counters
from execution_engine.journal import Journal
from execution_engine.orders import Child, Orders, Parent
from execution_engine.rows import ChildEnded, ParentMoved, Reported, Row

__all__ = ["Ledger"]

logger = structlog.get_logger()


class Ledger:
    """All that is known of orders, durable with `commit`."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Read the journal.

        Raises:
            ConfigError: it holds what this version cannot read.
        """
        self.orders: Final = Orders()
        self.on_report: Callable[[Report], None] = lambda _: None
        """Called with each report once it is committed; not with those of the recovery, which are
        in the journal."""
        self._journal = journal
        self._clock = clock
        self._rows: list[Row] = []
        self._calls: list[Callable[[], None]] = []
        for row in journal.rows():
            self.orders.apply(row)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have a venue called once all that is noted so far is durable."""
        self._calls.append(call)

    def move(self, parent: Parent, state: OrderState, reason: str) -> None:
        """Bring an order into another state, and report it."""
        self.note(ParentMoved(parent.id, state, reason, self._clock.now_ns()))
        self.report(parent, ReportKind.STATE, reason)
        logger.info("order", id=parent.id, state=state.value, reason=reason)

    def end(self, child: Child, state: ChildState, filled: Decimal, reason: str) -> None:
        """Note that a child is over, and report it."""
        now_ns = self._clock.now_ns()
        self.note(ChildEnded(child.intent.child_id, state, filled, reason, now_ns))
        self.report_child(child)
        counters.CHILDREN.labels(child.intent.venue, state.value).inc()

    def report_child(self, child: Child) -> None:
        self.report(self.orders.parent_of(child), ReportKind.CHILD, child=child)

    def report(
        self,
        parent: Parent,
        kind: ReportKind,
        reason: str = "",
        child: Child | None = None,
        fill: FillNews | None = None,
    ) -> None:
        self.note(parent.report(kind, self._clock.now_ns(), reason, child, fill))

    def note(self, row: Row) -> None:
        """Take a fact; it is durable with the next commit, and nothing leaves before that."""
        self.orders.apply(row)
        self._rows.append(row)

    def commit(self) -> None:
        """Make all facts durable, then tell the reports among them, and venues what follows.

        Raises:
            sqlite3.Error: they are not: the engine must end, for it knows what its journal does
                not.
        """
        rows, self._rows = self._rows, []
        if rows:
            self._journal.append(rows)
        for row in rows:
            if isinstance(row, Reported):
                self.on_report(row.report)
        calls, self._calls = self._calls, []
        for call in calls:
            call()
