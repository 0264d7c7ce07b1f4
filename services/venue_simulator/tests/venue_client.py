"""A client made of real sockets, and what tests ask of a simulator."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from patience import PATIENCE_S, eventually, patiently
from venue_simulator.book import BookState, Levels
from venue_simulator.control import HEADER
from venue_simulator.simulator import Simulator
from websockets.asyncio.client import ClientConnection, connect

__all__ = [
    "Answer",
    "Message",
    "Wire",
    "dial",
    "eventually",
    "get",
    "last_state",
    "post",
    "texts",
]

Message = dict[str, Any]


class Wire:
    """A client's end of a WebSocket: JSON out, JSON in, never waiting for ever."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, message: object) -> None:
        await self.socket.send(json.dumps(message))

    async def frame(self) -> str:
        """Return the next frame, of a gzip member as much as there is."""
        async with patiently():
            frame = await self.socket.recv()
        if isinstance(frame, bytes):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(frame).decode()
        return frame

    async def hear(self) -> Message:
        """Return the next message, its numbers as they were printed.

        One that is an array is returned as {"array": …}.
        """
        message = json.loads(await self.frame(), parse_float=str)
        return message if isinstance(message, dict) else {"array": message}

    async def hear_where(self, holds: Callable[[Message], bool]) -> Message:
        """Return the next message for which `holds` does; those before it are lost."""
        while True:
            message = await self.hear()
            if holds(message):
                return message

    async def ask(self, message: object) -> Message:
        await self.say(message)
        return await self.hear()

    async def quiet(self, ask: object, answers: Callable[[Message], bool]) -> None:
        """Assert that nothing is on its way: the answer to `ask` is the next message."""
        answer = await self.ask(ask)
        assert answers(answer), answer

    async def closed(self) -> int | None:
        """Return the close code, once the connection is closed."""
        async with patiently():
            await self.socket.wait_closed()
        return self.socket.close_code


@asynccontextmanager
async def dial(url: str, **options: Any) -> AsyncIterator[Wire]:
    """Connect to `url` until the context ends."""
    settings: dict[str, Any] = {"compression": None, "proxy": None, "close_timeout": 0.2}
    async with connect(url, **{**settings, **options}) as socket:
        yield Wire(socket)


def last_state(simulator: Simulator, venue: str, instrument: str = "ETH-BTC") -> BookState:
    """Return the truth as it stands."""
    return simulator.truth.states[venue, instrument][-1]


def texts(levels: Levels) -> list[list[str]]:
    """Return levels as JSON brings them."""
    return [list(level) for level in levels]


class Answer(NamedTuple):
    """What a GET request got."""

    status: int
    headers: dict[str, str]
    body: Any


async def post(url: str, **headers: str) -> Answer:
    """Return the answer to what changes something on the control page."""
    return await get(Request(url, b"", {HEADER: "1", **headers}))


async def get(url: str | Request) -> Answer:
    """Return the answer to a GET request, or another, its body from JSON."""

    def fetch() -> Answer:
        try:
            with build_opener(ProxyHandler({})).open(url, timeout=PATIENCE_S) as reply:
                return Answer(reply.status, dict(reply.headers), json.loads(reply.read()))
        except HTTPError as error:
            with error:
                text = error.read()
                body = json.loads(text) if text.startswith((b"{", b"[")) else text.decode()
                return Answer(error.code, dict(error.headers), body)

    return await asyncio.to_thread(fetch)
