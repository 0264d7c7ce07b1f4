"""What each front end is owed: reports from the journal, until they are acknowledged. Pure.

Nothing is kept here but how far each front end is: the reports are in the journal, however long a
front end is away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from dragonfly_orders.messages import FrontEndHello, Report

from execution_engine.orders import Orders, Parent

__all__ = ["FrontEndState", "Outbox"]

WINDOW: Final = 256
"""Reports that are on their way to a front end at most."""
RESEND_S: Final = 1.0
AWAY_S: Final = 5.0
"""A front end says hello each second: after so long without, nothing more is sent to it."""

ReadReports = Callable[[str, int, int], list[Report]]
"""Returns an order's reports after a number, so many at most."""


@dataclass
class FrontEndState:
    """How far a front end is."""

    name: str
    peer: bytes
    owners: tuple[str, ...]
    heard_at: float
    kept: bool = True
    """Its acknowledgements are wanted after a restart; not of one that says itself what it has."""
    acked: dict[str, int] = field(default_factory=dict)
    """By order."""
    sent: dict[str, int] = field(default_factory=dict)
    sent_at: dict[str, float] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    """Orders of which there may be more than was acknowledged."""

    def wants(self, parent: Parent) -> bool:
        return not self.owners or parent.opened.owner in self.owners

    @property
    def on_the_way(self) -> int:
        return sum(sent - self.acked.get(name, 0) for name, sent in self.sent.items())


class Outbox:
    """All front ends."""

    def __init__(self, orders: Orders, reports: ReadReports) -> None:
        self._orders = orders
        self._reports = reports
        self._front_ends: dict[str, FrontEndState] = {}

    def on_hello(
        self, peer: bytes, hello: FrontEndHello, acked: Callable[[], dict[str, int]], now: float
    ) -> dict[str, int] | None:
        """Take a sign of life; of a new connection, return where the reports of orders go on.

        `acked` reads from the journal what the front end acknowledged in earlier lives.
        """
        known = self._front_ends.get(hello.front_end)
        if known is not None and known.peer == peer:
            known.heard_at = now
            return None
        begun = dict(hello.seqs) if hello.restart else acked()
        state = FrontEndState(
            hello.front_end, peer, hello.owners, now, not hello.restart, acked=begun
        )
        state.unread.update(
            parent.id
            for parent in self._orders.parents.values()
            if state.wants(parent) and begun.get(parent.id, 0) < parent.last_seq
        )
        self._front_ends[hello.front_end] = state
        # Of an open order more will come, whether or not all so far is acknowledged.
        return {
            parent.id: begun[parent.id]
            for parent in self._orders.parents.values()
            if parent.id in begun and (parent.id in state.unread or not parent.final)
        }

    def on_report(self, report: Report) -> None:
        """Note that there is a new report."""
        parent = self._orders.parents[report.order_id]
        for state in self._front_ends.values():
            if state.wants(parent):
                state.unread.add(parent.id)

    def on_ack(self, peer: bytes, order_id: str, seq: int) -> str | None:
        """Take an acknowledgement; return for whom it is to be kept, None where for nobody."""
        state = next((one for one in self._front_ends.values() if one.peer == peer), None)
        parent = self._orders.parents.get(order_id)
        if state is None or parent is None or not state.acked.get(order_id, 0) < seq:
            return None
        if seq > parent.last_seq:
            return None
        state.acked[order_id] = seq
        if seq >= state.sent.get(order_id, 0):
            state.sent.pop(order_id, None)
            state.sent_at.pop(order_id, None)
        if seq == parent.last_seq:
            state.unread.discard(order_id)
        return state.name if state.kept else None

    def due(self, now: float) -> Iterable[tuple[bytes, Report]]:
        """Yield what is to be sent now, and to whom; those of an order in their order."""
        for state in list(self._front_ends.values()):
            if now - state.heard_at > AWAY_S:
                # It is as new when it comes back; many never do.
                del self._front_ends[state.name]
                continue
            room = WINDOW - state.on_the_way
            for name in list(state.unread):
                acked = state.acked.get(name, 0)
                if name in state.sent and now - state.sent_at[name] > RESEND_S:
                    room += state.sent.pop(name) - acked
                begin = state.sent.get(name, acked)
                last = self._orders.parents[name].last_seq
                if begin >= last or room <= 0:
                    continue
                for report in self._reports(name, begin, room):
                    state.sent[name] = report.seq
                    state.sent_at[name] = now
                    room -= 1
                    yield state.peer, report
