"""How long any test waits for what must come: one bound, which no working machine ever meets.

How fast a thing comes is measured by `bench/`. Where time itself is the subject, a test moves a
clock of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dragonfly_common.clock import SteadyClock

__all__ = ["PATIENCE_S", "SkippingClock", "eventually", "patiently"]

PATIENCE_S: Final = 120.0
"""Of a wait, and of a child process. pytest's own limit lies beyond it (`pyproject.toml`)."""
POLL_S: Final = 0.005


class SkippingClock(SteadyClock):
    """A clock that stands still while the test does, and skips where that says."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped_s


async def eventually(
    holds: Callable[[], bool | Awaitable[bool]], what: str, *, within_s: float = PATIENCE_S
) -> None:
    """Return as soon as `holds` does.

    Raises:
        AssertionError: it did not within `within_s`; the message names `what`.
    """
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        answer = holds()
        if answer if isinstance(answer, bool) else await answer:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        await asyncio.sleep(POLL_S)


def patiently() -> asyncio.Timeout:
    """Bound what is awaited within `async with`."""
    return asyncio.timeout(PATIENCE_S)
