"""A connection that is cut while it ends by itself."""

from __future__ import annotations

import asyncio

from venue_simulator.connection import reset_transport


async def test_a_connection_that_is_closed_by_now_can_still_be_reset() -> None:
    gone = asyncio.Event()

    class Client(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            gone.set()

    loop = asyncio.get_running_loop()
    async with await loop.create_server(asyncio.Protocol, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        transport, _ = await loop.create_connection(Client, *address)
        transport.close()
        await gone.wait()
        await asyncio.sleep(0)  # the socket is closed behind the call
        reset_transport(transport)
