"""A web gateway in the test's own loop, and what speaks with it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from dragonfly_common.clock import SteadyClock
from dragonfly_common.runtime import Runtime, RuntimeOptions
from patience import eventually, patiently
from web_gateway.service import WebGatewayOptions, serve
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

Message = dict[str, Any]

HANDSHAKE: Final = (
    b"GET /v1/stream HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class Tab:
    """One WebSocket and what it brought."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heartbeats = 0

    async def say(self, **request: object) -> None:
        await self.socket.send(json.dumps(request))

    async def ask(self, **request: object) -> Message:
        """Return the answer to a request; snapshots before it are read over."""
        await self.say(**request)
        while True:
            message = await self.read()
            if "success" in message:
                return message

    async def subscribe(self, channel: str, **params: object) -> Message:
        return await self.ask(method="subscribe", params={"channel": channel} | params, req_id=1)

    async def read(self) -> Message:
        """Return the next message that is no heartbeat."""
        async with patiently():
            while True:
                message: Message = json.loads(await self.socket.recv())
                if message.get("channel") != "heartbeat":
                    return message
                self.heartbeats += 1

    async def snapshot(self) -> Message:
        """Return the next state, with its envelope."""
        while True:
            message = await self.read()
            if message.get("type") == "snapshot":
                return message

    async def state(self) -> Message:
        """Return the next state."""
        data: Message = (await self.snapshot())["data"][0]
        return data


class UnreadTab:
    """A WebSocket of which nothing is read, so that there is soon no room for more."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def say(self, **request: object) -> None:
        frame = Frame(Opcode.TEXT, json.dumps(request).encode()).serialize(mask=True)
        await asyncio.get_running_loop().sock_sendall(self._connection, frame)

    async def read_until(self, end: bytes) -> None:
        """Read on, until what was sent so far ends so."""
        read = b""
        async with patiently():
            while not read.endswith(end):
                more = await asyncio.get_running_loop().sock_recv(self._connection, 1 << 16)
                assert more, "the connection was cut"
                read = read[-len(end) :] + more


class RunningWeb:
    """A web gateway's address."""

    def __init__(
        self, url: str, trust: ssl.SSLContext | None = None, beats: Callable[[], int] = int
    ) -> None:
        self.url = url
        self.beats = beats
        """How often its process beat."""
        self.trust = trust
        verify = trust or False
        self.http = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, verify=verify)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        answer = await self.http.get(path, headers=headers)
        return answer.status_code, answer.json()

    @asynccontextmanager
    async def tab(self, headers: Mapping[str, str] | None = None) -> AsyncIterator[Tab]:
        address = f"{self.url.replace('http', 'ws', 1)}v1/stream"
        async with connect(
            address, additional_headers=headers, proxy=None, ssl=self.trust
        ) as connection:
            yield Tab(connection)

    @asynccontextmanager
    async def unread_tab(self) -> AsyncIterator[UnreadTab]:
        address = httpx.URL(self.url)
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, (address.host, address.port))
            await loop.sock_sendall(connection, HANDSHAKE)
            tab = UnreadTab(connection)
            await tab.read_until(b"\r\n\r\n")
            yield tab


class _NotingRuntime(Runtime):
    url = ""
    beats = 0

    def beat(self) -> None:
        self.beats += 1
        super().beat()

    def ready(self, **facts: object) -> None:
        self.url = str(facts.get("web", self.url))
        super().ready(**facts)


@asynccontextmanager
async def running(
    gateway: str,
    *,
    tokens: Path | None = None,
    origins: tuple[str, ...] = (),
    max_feeds: int = 16,
    trust: ssl.SSLContext | None = None,
    **more: Any,
) -> AsyncIterator[RunningWeb]:
    """Run a web gateway; `more` are options of its own, `trust` is what its clients go by."""
    clock = SteadyClock()
    runtime = _NotingRuntime("web", RuntimeOptions("web.test", log_level="error"), clock)
    ticking = asyncio.create_task(clock.keep_running())
    options = WebGatewayOptions(
        "127.0.0.1:0", gateway, tokens=tokens, origins=origins, max_feeds=max_feeds, **more
    )
    task = asyncio.create_task(serve(runtime, options))
    await eventually(lambda: bool(runtime.url) or task.done(), "the web gateway is ready")
    web = RunningWeb(runtime.url, trust, lambda: runtime.beats)
    try:
        yield web
    finally:
        await web.http.aclose()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ticking.cancel()
