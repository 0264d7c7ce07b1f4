"""The time at a venue, by which requests are stamped: measured again each minute. Pure.

Between two measurements it goes on by the clock that never goes back, so that a step of this
machine's time stamps nothing wrongly. It fails closed: a time that is unknown, too old, or far from
this machine's is an error, and nothing is sent without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dragonfly_venues.transport.errors import UnresponsiveError

if TYPE_CHECKING:
    from dragonfly_common.clock import Clock

__all__ = ["VenueTime"]

MOST_APART_S: Final = 5.0
"""Between the venue's clock and this machine's: more, and one of them is wrong."""
MOST_DOUBT_S: Final = 1.0
"""How far a measurement may be off: half of the time that its question took."""
STALE_AFTER_S: Final = 180.0


class VenueTime:
    """One venue's time, as it was measured last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_ns = 0
        self._told_at: float | None = None

    def take(self, asked_at: float, venue_ns: int) -> None:
        """Take what the venue said its time is, to a question that left at `asked_at` (monotonic).

        Raises:
            UnresponsiveError: it took too long to be of use, or a clock is wrong.
        """
        now = self._clock.monotonic()
        doubt_s = (now - asked_at) / 2
        if doubt_s > MOST_DOUBT_S:
            raise UnresponsiveError("clock", f"its time took {2 * doubt_s:.1f} s to come")
        apart_s = (venue_ns - self._clock.now_ns()) / 1e9 + doubt_s
        if abs(apart_s) > MOST_APART_S:
            where = "ahead of" if apart_s > 0 else "behind"
            raise UnresponsiveError(
                "clock",
                f"its clock is {abs(apart_s):.1f} s {where} this machine's: set that one right",
            )
        self._told_ns, self._told_at = venue_ns, now - doubt_s

    def now_ns(self) -> int:
        """Return the venue's time.

        Raises:
            UnresponsiveError: it is not known.
        """
        passed_s = None if self._told_at is None else self._clock.monotonic() - self._told_at
        if passed_s is None or passed_s > STALE_AFTER_S:
            raise UnresponsiveError("clock", "its time is not known")
        return self._told_ns + round(passed_s * 1e9)
