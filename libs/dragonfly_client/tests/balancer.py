"""One address for several gateways, as a balancer is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from loopback import accepting
from stub_gateway import StubGateway

__all__ = ["Balancer"]


class Balancer:
    """Hands each new connection to the first of its gateways that lives."""

    def __init__(self, *gateways: StubGateway) -> None:
        self._gateways = gateways
        self._dead: StubGateway | None = None
        self._connections: dict[StubGateway, set[asyncio.StreamWriter]] = {
            gateway: set() for gateway in gateways
        }
        self.address = ""
        self._accepting = accepting(self._connect)

    async def __aenter__(self) -> Self:
        self.address = f"127.0.0.1:{await self._accepting.__aenter__()}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for gateway in self._gateways:
            self._cut(gateway)
        await self._accepting.__aexit__(None, None, None)

    async def die(self, gateway: StubGateway) -> None:
        """Cut the connections of a gateway, and hand it no new ones; the one before is back."""
        self._dead = gateway
        self._cut(gateway)

    def _cut(self, gateway: StubGateway) -> None:
        for writer in self._connections[gateway]:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gateway = next(gateway for gateway in self._gateways if gateway is not self._dead)
        host, port = gateway.address.split(":")
        there_reader, there = await asyncio.open_connection(host, int(port))
        self._connections[gateway] |= {writer, there}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copy(reader, there))
                tasks.create_task(_copy(there_reader, writer))
        finally:
            self._connections[gateway] -= {writer, there}
            there.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
