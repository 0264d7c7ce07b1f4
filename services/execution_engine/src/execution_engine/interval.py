"""The mid of an order's interval, weighted by time: the benchmark beside its arrival. Pure.

No listener follows trades, so nobody here can weigh the market's prices by volume. What is known is
where the merged live book stood while the order was worked. While the engine was down, and while no
venue was live, nothing is known: that time is told, and not filled.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from dragonfly_orders.messages import IntervalMid

from execution_engine.orders import Parent

__all__ = ["IntervalWatch"]

S_NS: Final = 10**9
LONGEST_HELD_NS: Final = S_NS
"""A mid counts until the next look, and for so long at most: the engine may stand still."""
SHORTEST_STEP_NS: Final = S_NS
STEPS: Final = 100
"""The mid so far is a row each second, or each hundredth of the interval where that is longer: a
crash costs no more of it, and 30 days, the longest, are some 1,200 rows."""
DIGITS: Final = Context(prec=15)


class IntervalWatch:
    """Follows one order's mid from the journal's last word on."""

    def __init__(self, parent: Parent) -> None:
        known = parent.interval or IntervalMid(Decimal(0), 0, 0)
        self._opened_ns: Final = parent.opened.opened_ns
        self._noted_ns = known.whole_ns
        self._seen_ns = known.seen_ns
        self._sum = known.mid * known.seen_ns
        self._mid: Decimal | None = None
        self._looked_ns = 0

    def look(self, mid: Decimal | None, now: float) -> None:
        """Take the mid of now, None where no live book has one; `now` is monotonic."""
        now_ns = round(now * S_NS)
        if self._mid is not None:
            held_ns = min(now_ns - self._looked_ns, LONGEST_HELD_NS)
            self._seen_ns += held_ns
            self._sum += self._mid * held_ns
        self._mid, self._looked_ns = mid, now_ns

    def due(self, now_ns: int, *, over: bool) -> IntervalMid | None:
        """Return what is to be noted now, if anything; once more when the order is `over`."""
        whole_ns = max(self._seen_ns, now_ns - self._opened_ns)
        step_ns = max(SHORTEST_STEP_NS, whole_ns // STEPS)
        if not self._seen_ns or (whole_ns - self._noted_ns < step_ns and not over):
            return None
        self._noted_ns = whole_ns
        return IntervalMid(DIGITS.divide(self._sum, self._seen_ns), self._seen_ns, whole_ns)
