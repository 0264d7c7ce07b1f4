"""Who has been silent for too long. Pure: the time is a parameter."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Silence"]

K = TypeVar("K", bound=Hashable)


class Silence(Generic[K]):
    """Watches any number of speakers against one limit. Whoever never spoke is not watched."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._heard: dict[K, float] = {}

    def heard(self, key: K, now: float) -> None:
        self._heard[key] = now

    def forget(self, key: K) -> None:
        self._heard.pop(key, None)

    def silent(self, now: float) -> list[K]:
        """Return those whose silence has reached the limit."""
        limit = now - self.limit_s
        return [key for key, at in self._heard.items() if at <= limit]

    def due_in(self, now: float) -> float:
        """Return seconds until somebody's silence reaches the limit; infinity if nobody speaks."""
        if not self._heard:
            return math.inf
        return max(0.0, min(self._heard.values()) + self.limit_s - now)
