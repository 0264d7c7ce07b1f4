"""How long to wait before knocking again: exponential, with full jitter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["GatewayBackoff"]

FIRST_S: Final = 0.05
LONGEST_S: Final = 2.0
GROWTH: Final = 1.5
"""Slow enough that a gateway which restarts within a second is found within the next half."""


class GatewayBackoff:
    """Waits drawn from [0, ceiling); the ceiling grows by half from 50 ms to 2 s.

    Full jitter spreads the bots that lost one gateway at the same moment. `random` returns
    [0, 1).
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._ceiling_s = FIRST_S

    def next_s(self) -> float:
        """Return the next wait in seconds, and raise the ceiling."""
        wait_s = self._random() * self._ceiling_s
        self._ceiling_s = min(LONGEST_S, self._ceiling_s * GROWTH)
        return wait_s

    def reset(self) -> None:
        """Begin again: something arrived."""
        self._ceiling_s = FIRST_S
