"""What the venue lists: loaded at the start, refreshed now and then, and when someone doubts it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from dragonfly_common.clock import Clock

from feed_listener import counters
from feed_listener.backoff import Backoff
from feed_listener.client import ClientError, ProtocolError
from feed_listener.venue import FrameError

__all__ = ["Directory"]

REFRESH_S: Final = 3600.0
LEAST_REFRESH_S: Final = 60.0
"""Doubts lead to no more than one look in this time."""

logger = structlog.get_logger()


class Directory:
    """The venue's symbols by instrument, kept current."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Mapping[str, str]]],
        clock: Clock,
        random: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        """`fetch` asks the venue; `on_change` is called after a list came, or first failed."""
        self._fetch = fetch
        self._clock = clock
        self._backoff = Backoff(random)
        self._on_change = on_change
        self._doubted = asyncio.Event()
        self.symbols: Mapping[str, str] | None = None
        """None until a list was loaded; an old list stays while a new one cannot be had."""
        self.failure: str | None = None
        """Why the last attempt failed, None when it did not."""

    def doubt(self) -> None:
        """Ask for a look at the venue's list before the hour is over."""
        self._doubted.set()

    async def run(self) -> None:
        """Keep the list current until cancelled."""
        while True:
            retry_after_s = await self._load()
            if retry_after_s is not None:
                await asyncio.sleep(self._backoff.next_s(retry_after_s))
                continue
            self._backoff.reset()
            self._doubted.clear()
            await asyncio.sleep(LEAST_REFRESH_S)
            await self._doubt_or_hour()

    async def _load(self) -> float | None:
        """Load the list; return the least wait before another attempt, None after success."""
        try:
            symbols = await self._fetch()
        except FrameError as error:
            self._fail(f"its reply is no instrument list ({error})")
            return ProtocolError.retry_after_s
        except ClientError as error:
            self._fail(str(error))
            return error.retry_after_s
        if symbols != self.symbols or self.failure is not None:
            logger.info("instruments loaded", count=len(symbols))
            self.symbols = symbols
            self.failure = None
            self._on_change()
        return None

    def _fail(self, reason: str) -> None:
        counters.LIST_FAILURES.inc()
        if reason != self.failure:
            logger.warning("instruments not loaded", reason=reason)
            self.failure = reason
            self._on_change()

    async def _doubt_or_hour(self) -> None:
        rest_s = REFRESH_S - LEAST_REFRESH_S
        timer = asyncio.get_running_loop().call_later(rest_s, self._doubted.set)
        try:
            await self._doubted.wait()
        finally:
            timer.cancel()
