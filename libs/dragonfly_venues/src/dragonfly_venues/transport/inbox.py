"""The inbox of a connection, and who takes from it: the part that all protocols' clients share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NoReturn

from dragonfly_venues.transport.errors import TransportError

__all__ = ["Inbox"]


class Inbox:
    """Keeps messages until somebody takes them, and hands them on at once from then on."""

    def __init__(self) -> None:
        self._kept: deque[bytes] = deque()
        self._end: TransportError | None = None
        self._on_end: Callable[[], object] = lambda: None
        self.put: Callable[[Sequence[bytes]], object] = self._kept.extend
        """Called with what arrived together."""

    def end(self, why: TransportError) -> None:
        """Note that the connection is over; what is kept can still be received."""
        if self._end is None:
            self._end = why
            self._on_end()

    async def receive(self) -> bytes:
        """Return the next message; see `Connection.receive`."""
        news = asyncio.Event()

        def keep(messages: Sequence[bytes]) -> None:
            self._kept.extend(messages)
            news.set()

        self.put, self._on_end = keep, news.set
        while not self._kept:
            if self._end is not None:
                raise self._end
            news.clear()
            await news.wait()
        return self._kept.popleft()

    async def stream(self, take: Callable[[Sequence[bytes]], None]) -> NoReturn:
        """Call `take` with all that arrives; see `Connection.stream`."""
        failed: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

        def deliver(messages: Sequence[bytes]) -> None:
            if not failed.done():
                try:
                    take(messages)
                except Exception as error:  # noqa: BLE001 - raised below
                    failed.set_exception(error)

        def end() -> None:
            if not failed.done() and self._end is not None:
                failed.set_exception(self._end)

        if self._kept:
            deliver([*self._kept])
            self._kept.clear()
        self.put, self._on_end = deliver, end
        end()
        await failed
