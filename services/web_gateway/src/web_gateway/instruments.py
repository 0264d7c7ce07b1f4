"""What is listed anywhere, asked for now and then, and shared by all who search."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import ClientError
from dragonfly_client.messages import Instrument

__all__ = ["Listed"]

HOLDS_S: Final = 10.0


class Listed:
    """The newest list that the gateway gave."""

    def __init__(self, client: DragonflyClient) -> None:
        self._client = client
        self._asked_at = -HOLDS_S
        self._asking = asyncio.Lock()
        self._all: tuple[Instrument, ...] = ()
        self.names: frozenset[str] = frozenset()

    async def newest(self) -> tuple[Instrument, ...]:
        """Return every instrument, by name; of some seconds ago at most.

        Raises:
            ClientError: as of any call.
        """
        async with self._asking:
            if time.monotonic() - self._asked_at > HOLDS_S:
                self._all = tuple(await self._client.instruments())
                self.names = frozenset(one.instrument for one in self._all)
                self._asked_at = time.monotonic()
        return self._all

    async def refresh(self) -> None:
        """Ask where it is time, if the gateway can say."""
        try:
            await self.newest()
        except ClientError:
            return
