"""Requests over one connection, and over another once that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dragonfly_venues.transport import HttpRequest, KeptConnections, exchange, trusted
from loopback import accepting

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers every request, and leaves connections open."""

    def __init__(self) -> None:
        self.lines: list[asyncio.StreamWriter] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(REPLY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    server = Server()
    async with accepting(server.serve) as port:
        server.url = f"http://127.0.0.1:{port}/"
        yield server


async def test_a_connection_serves_the_next_request_until_its_end() -> None:
    trust, kept = trusted(None), KeptConnections()

    async def ask(kept: KeptConnections | None) -> bytes:
        return (await exchange(HttpRequest(server.url), trust, 1000, kept=kept)).body

    async with running() as server:
        for _ in range(3):
            assert await ask(kept) == b"ok"
        assert len(server.lines) == 1
        server.lines[0].close()
        await server.lines[0].wait_closed()
        assert await ask(kept) == b"ok"
        assert len(server.lines) == 2
        await kept.close()
        assert await ask(None) == b"ok"
        assert await ask(None) == b"ok"
        assert len(server.lines) == 4
