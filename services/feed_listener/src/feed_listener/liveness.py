"""What the silence of a connection means, by the venue's own rule. Pure: time is a parameter."""

from __future__ import annotations

import math
from enum import IntEnum

from feed_listener.venue import Liveness

__all__ = ["Silence", "Vigil"]


class Silence(IntEnum):
    """How far a silence has come."""

    NONE = 0
    PROBE = 1
    """A sign of life should be asked for."""
    STALE = 2
    """What was heard before is no longer to be trusted."""
    DEAD = 3
    """The connection is to be given up."""


class Vigil:
    """Watches one connection. `heard_at` is written at every frame, so it is a plain attribute."""

    def __init__(self, rule: Liveness, now: float) -> None:
        self._limits = {
            Silence.PROBE: rule.probe_after_s,
            Silence.STALE: rule.stale_after_s,
            Silence.DEAD: rule.reconnect_after_s,
        }
        self._reached = Silence.NONE
        self._heard_then = now
        self.heard_at = now

    def limit_s(self, silence: Silence) -> float:
        """Return how long a silence is when it becomes `silence`."""
        return self._limits[silence]

    def check(self, now: float) -> Silence | None:
        """Return what the silence has newly become, each degree once; None when nothing new."""
        if self.heard_at != self._heard_then:
            self._heard_then = self.heard_at
            self._reached = Silence.NONE
        silent_s = now - self.heard_at
        reached = max((s for s, limit in self._limits.items() if silent_s >= limit), default=None)
        if reached is None or reached <= self._reached:
            return None
        self._reached = reached
        return reached

    def due_in(self, now: float) -> float:
        """Return seconds until the next degree, if the silence goes on."""
        reached = self._reached if self.heard_at == self._heard_then else Silence.NONE
        limit = min((v for s, v in self._limits.items() if s > reached), default=math.inf)
        return max(0.0, self.heard_at + limit - now)
