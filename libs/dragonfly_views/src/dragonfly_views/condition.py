"""Lets coroutines wait for a fact that synchronous code brings about."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

__all__ = ["Condition"]


class Condition:
    """Whoever changes a fact tells; whoever waits for one looks again."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, fact: Callable[[], bool], timeout_s: float = math.inf) -> bool:
        """Return once `fact()` holds; False if it still does not after `timeout_s`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not fact():
            left = deadline - loop.time()
            if left <= 0:
                return False
            waiter = loop.create_future()
            self._waiting.add(waiter)
            try:
                await asyncio.wait((waiter,), timeout=None if left == math.inf else left)
            finally:
                self._waiting.discard(waiter)
        return True
