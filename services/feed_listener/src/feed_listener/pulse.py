"""Whether this process stood still: what its sockets then hold is old.."""

from __future__ import annotations

from typing import Final

from dragonfly_venues.transport.errors import UnresponsiveError

__all__ = ["FROZEN_S", "Pulse"]

FROZEN_S: Final = 1.0


class Pulse:
    """When the main loop last ran. Whoever reads a socket asks first whether that is long ago."""

    def __init__(self, now: float) -> None:
        self._beat_at = now

    def beat(self, now: float) -> UnresponsiveError | None:
        """Say that the main loop runs; return what to drop connections with if it stood still."""
        frozen = self.frozen(now)
        self._beat_at = now
        return frozen

    def frozen(self, now: float) -> UnresponsiveError | None:
        """Return an error if the process stood still before `now`."""
        still_s = now - self._beat_at
        if still_s <= FROZEN_S:
            return None
        return UnresponsiveError("frozen", f"this process stood still for {still_s:.1f} s")
