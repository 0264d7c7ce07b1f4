"""The proxy that stands for a bad network does what it is told, and loses nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from proxy import Proxy

HELD_S = 0.05
"""Long enough for what is not held to have come."""


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def joined(proxy: Proxy, path: Path) -> AsyncIterator[tuple[Ends, Ends]]:
    """Yield the ends of a connection through the proxy: who connected, and who was there."""
    accepted: asyncio.Queue[Ends] = asyncio.Queue()
    server = await asyncio.start_unix_server(
        lambda reader, writer: accepted.put_nowait((reader, writer)), path
    )
    proxy.target = path
    async with server, proxy.serving():
        near = await asyncio.open_connection("127.0.0.1", proxy.port)
        far = await accepted.get()
        try:
            yield near, far
        finally:
            for _, writer in (near, far):
                await close(writer)


@pytest.mark.parametrize("toxic", ["none", "slicing", "latency", "bandwidth"])
async def test_all_bytes_pass_in_order(tmp_path: Path, toxic: str) -> None:
    proxy = Proxy()
    data = bytes(range(256)) * 200
    proxy.slicing = toxic == "slicing"
    proxy.latency_s = HELD_S if toxic == "latency" else 0.0
    proxy.bytes_per_s = 500_000.0 if toxic == "bandwidth" else None
    async with joined(proxy, tmp_path / "far") as ((_, near), (far, far_writer)):
        began = asyncio.get_running_loop().time()
        near.write(data)
        near.write_eof()
        assert await far.read() == data
        took = asyncio.get_running_loop().time() - began
        assert took >= {"latency": HELD_S, "bandwidth": len(data) / 500_000}.get(toxic, 0)
        far_writer.close()


async def test_a_held_connection_says_nothing_and_loses_nothing(tmp_path: Path) -> None:
    proxy = Proxy()
    async with joined(proxy, tmp_path / "far") as ((near, near_writer), (far, far_writer)):
        proxy.hold()
        near_writer.write(b"there")
        far_writer.write(b"back")
        far_writer.write_eof()
        heard = asyncio.gather(far.read(5), near.read())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HELD_S):
                await asyncio.shield(heard)
        proxy.resume()
        assert tuple(await heard) == (b"there", b"back")


async def test_connections_are_reset_and_refused(tmp_path: Path) -> None:
    proxy = Proxy()
    async with joined(proxy, tmp_path / "far") as ((near, _), (far, _)):
        proxy.refusing = True
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await near.read()
        assert await far.read() == b""
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await close(writer)
