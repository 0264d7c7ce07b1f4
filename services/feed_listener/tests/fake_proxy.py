"""A proxy that speaks HTTP and SOCKS 5 on one port, and leads to one port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

SOCKS_5 = b"\x05"
USER_AND_PASSWORD = b"\x02"


class FakeProxy:
    """Whatever is asked for is taken to be at `target_port`."""

    def __init__(self, target_port: int) -> None:
        self.asked: list[str] = []
        """Each HOST:PORT that was asked for, before it `USER:PASSWORD@` where that was given."""
        self.reply: bytes | None = None
        """The answer to everybody instead."""
        self._target_port = target_port
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # a transport is closed on the loop's next turn

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(1)
            if self.reply is not None:
                writer.write(self.reply)
                await writer.drain()
            elif first == SOCKS_5:
                await self._serve_socks(reader, writer)
            else:
                head = first + await reader.readuntil(b"\r\n\r\n")
                await self._serve_http(head, reader, writer)
        writer.close()

    async def _serve_socks(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        who = ""
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        method = USER_AND_PASSWORD if USER_AND_PASSWORD in methods else b"\0"
        writer.write(SOCKS_5 + method)
        if method == USER_AND_PASSWORD:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            who = f"{user.decode()}:{password.decode()}@"
            writer.write(b"\x01\0")
        assert await reader.readexactly(4) == b"\x05\x01\0\x03"  # connect to a name
        name = await reader.readexactly((await reader.readexactly(1))[0])
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{who}{name.decode()}:{port}")
        writer.write(b"\x05\0\0\x01" + bytes(6))
        await self._join(reader, writer, b"")

    async def _serve_http(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, asked, _ = head.decode().split(" ", 2)
        self.asked.append(asked)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            head = b""
        else:
            head = head.replace(asked.encode(), b"/" + asked.encode().split(b"/", 3)[3], 1)
        await self._join(reader, writer, head)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers.add(back)
        back.write(first)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
