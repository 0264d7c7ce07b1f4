"""A server of a test's own on this machine's loopback, of which nothing is left at its end."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

__all__ = ["accepting"]


@asynccontextmanager
async def accepting(
    handle: Callable[[StreamReader, StreamWriter], Coroutine[object, object, None]],
) -> AsyncIterator[int]:
    """Let `handle` have each connection to the port that is yielded.

    At the end handlers that still run are cancelled, and what is open is cut. A closed server of
    asyncio does neither before Python 3.12, and whichever test runs next would fail for it.
    """
    handlers: dict[asyncio.Task[None], StreamWriter] = {}

    def begin(reader: StreamReader, writer: StreamWriter) -> None:
        handlers[asyncio.create_task(handle(reader, writer))] = writer

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for handler, writer in handlers.items():
                handler.cancel()
                writer.transport.abort()
            await asyncio.gather(*handlers, return_exceptions=True)
    await asyncio.sleep(0)  # a transport is closed on the loop's next turn
