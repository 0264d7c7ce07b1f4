"""The silence of a connection, and its slowness. Pure: time is a parameter."""

from __future__ import annotations

import math
from enum import Enum, IntEnum
from typing import Final

from dragonfly_common.staleness import PauseDetector
from dragonfly_venues.transport.errors import UnresponsiveError
from dragonfly_venues.venue import Liveness

__all__ = [
    "FROZEN_S",
    "PingLag",
    "Silence",
    "SilenceTimer",
    "Slowness",
    "frozen",
    "new_pause_detector",
]

PING_INTERVAL_S: Final = 1.0
FROZEN_S: Final = 1.0
"""A process that stood still for so long drops its connections: what they hold is old."""


class Silence(IntEnum):
    """How far a silence has come."""

    NONE = 0
    PROBE = 1
    """A sign of life should be asked for."""
    STALE = 2
    """The books that were heard before are no longer to be trusted."""
    DEAD = 3
    """The connection is to be given up."""


class Slowness(Enum):
    """A measure against frames that may come late."""

    PROBE = "probe"
    """A ping should be sent among them."""
    LATE = "late"
    """The connection is to be given up: what still comes is old."""


class SilenceTimer:
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
        """Return a degree that the silence newly reached, each once; None when none is new."""
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


class PingLag:
    """Tells by pings whether frames come late: an answer arrives behind all that was sent before.

    A line that is too slow for its venue's frames is never silent, and not every venue stamps its
    books: nothing else shows that they come late. Only a venue that has answered is held to it.
    """

    def __init__(self, late_after_s: float, now: float) -> None:
        """A frame that was sent `late_after_s` ago is late; it is noticed by then.

        The first check is due at once: nothing is under way yet that an answer could wait behind.
        """
        self._patience_s = max(PING_INTERVAL_S, late_after_s - PING_INTERVAL_S)
        self._look_at = now
        self._asked_at: float | None = None
        self._answers = False

    def asked(self, now: float) -> None:
        """Note that a ping was sent."""
        if self._asked_at is None:
            self._asked_at = now

    def answered(self) -> None:
        """Note that a ping was answered."""
        self._asked_at = None
        self._answers = True

    def check(self, now: float, heard_at: float) -> Slowness | None:
        """Return the measure to take while frames come; a silence is `SilenceTimer`'s affair."""
        if now < self._look_at:
            return None
        self._look_at = now + PING_INTERVAL_S
        if now - heard_at >= PING_INTERVAL_S:
            self._asked_at = None
            return None
        waits_s = 0.0 if self._asked_at is None else now - self._asked_at
        # Asked again in any case: one that a venue swallowed says nothing of the line.
        return Slowness.LATE if self._answers and waits_s >= self._patience_s else Slowness.PROBE

    def due_in(self, now: float) -> float:
        """Return seconds until the next check."""
        return max(0.0, self._look_at - now)


def new_pause_detector(now: float) -> PauseDetector:
    """Return a detector that this listener stood still."""
    return PauseDetector(FROZEN_S, now)


def frozen(stood_still_s: float) -> UnresponsiveError:
    """Return the error to drop connections with after a pause."""
    return UnresponsiveError("frozen", f"this process stood still for {stood_still_s:.1f} s")
