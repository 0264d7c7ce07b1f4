"""How much a bot may have in flight, once it acknowledges. Pure: the time is a parameter.

gRPC buffers megabytes for a reader that stopped, and its own pings are answered by a bot that is
stuck. An acknowledgement is the only proof that a bot processes what it is sent.
"""

from __future__ import annotations

import math

__all__ = ["AckWindow"]


class AckWindow:
    """Counts a session's updates from 1, and what is unacknowledged once acknowledging began."""

    def __init__(self, size: int, limit_s: float) -> None:
        """At most `size` updates in flight, and no silence beyond `limit_s` while there are any."""
        self.size = size
        self.limit_s = limit_s
        self._sent = 0
        self._acknowledged: int | None = None
        self._progress_at = -math.inf
        self._held = False

    @property
    def sent(self) -> int:
        """The number of the last update."""
        return self._sent

    def may_send(self) -> bool:
        """Another update may be sent."""
        return self._acknowledged is None or self._sent - self._acknowledged < self.size

    def number_next(self, now: float) -> int:
        """Return the next update's number, which counts as sent."""
        if self._sent == self._acknowledged:
            self._progress_at = now
        self._sent += 1
        return self._sent

    def acknowledge(self, number: int, now: float) -> bool:
        """Take an acknowledgement; return False for a number that was never sent.

        A number below an earlier one changes nothing.
        """
        if number > self._sent:
            return False
        self._acknowledged = max(number, self._acknowledged or 0)
        self._progress_at = now
        return True

    def hold(self) -> None:
        """Do not expect acknowledgements until `release`."""
        self._held = True

    def release(self, now: float) -> None:
        """Expect acknowledgements from now on."""
        self._held = False
        self._progress_at = now

    def overdue(self, now: float) -> bool:
        """Updates are in flight, and none was acknowledged for longer than the limit."""
        waits = self._acknowledged is not None and self._acknowledged < self._sent
        return waits and not self._held and now - self._progress_at > self.limit_s
