"""What is listed anywhere, asked for now and then, and shared by all who search."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from dragonfly_client.client import DragonflyClient
from dragonfly_client.messages import Instrument

__all__ = ["Listed"]

HOLDS_S: Final = 10.0


class Listed:
    """The newest list that the gateway gave."""

    def __init__(self, client: DragonflyClient) -> None:
        self._client = client
        self._asked_at = -HOLDS_S
        self._asking: asyncio.Task[None] | None = None
        self._all: tuple[Instrument, ...] = ()
        self.names: frozenset[str] = frozenset()

    async def newest(self) -> tuple[Instrument, ...]:
        """Return every instrument, by name; of some seconds ago at most.

        Raises:
            ClientError: as of any call.
        """
        self.refresh()
        if self._asking is not None:
            await asyncio.shield(self._asking)
        return self._all

    def refresh(self) -> None:
        """Ask where it is time and nobody does; whoever waits meanwhile shares the answer."""
        asks = self._asking is not None and not self._asking.done()
        if not asks and time.monotonic() - self._asked_at > HOLDS_S:
            self._asking = asyncio.create_task(self._ask())
            # Where nobody waits, a failure is of no consequence.
            self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())

    async def _ask(self) -> None:
        self._all = tuple(await self._client.instruments())
        self.names = frozenset(one.instrument for one in self._all)
        self._asked_at = time.monotonic()
