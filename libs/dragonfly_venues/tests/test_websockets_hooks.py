"""What `transport/websocket.py` overrides in websockets is private there: a release may move it.

Where this fails after a new version was pinned, the library no longer calls what we override: mend
`_Direct` and `_Connect`, or take the version before and narrow the range in pyproject.toml.
"""

from __future__ import annotations

from typing import Any

import pytest
from dragonfly_venues.transport.websocket import _Connect
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State


class Recorder(ClientConnection):
    """Notes what the library calls, in order, with the state that it is called in."""

    calls: list[tuple[str, object]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.calls = []

    def data_received(self, data: bytes) -> None:
        self.calls.append(("data_received", self.protocol.state))
        super().data_received(data)

    def process_event(self, event: Any) -> None:
        said = event.opcode if isinstance(event, Frame) else type(event)
        self.calls.append(("process_event", said))
        super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.calls.append(("connection_lost", self.protocol.state))


async def test_websockets_still_calls_the_connections_hooks_that_we_override() -> None:
    async def echo(server: ServerConnection) -> None:
        await server.send(await server.recv())
        await server.wait_closed()

    async with serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(
            f"ws://127.0.0.1:{port}", create_connection=Recorder, proxy=None
        ) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
        assert isinstance(socket, Recorder)
    assert socket.calls[:2] == [
        ("data_received", State.CONNECTING),
        ("process_event", Response),
    ]
    assert ("data_received", State.OPEN) in socket.calls
    assert ("process_event", Opcode.TEXT) in socket.calls
    assert socket.calls[-1] == ("connection_lost", State.CLOSED)


async def test_websockets_still_asks_whether_a_redirect_is_followed() -> None:
    asked: list[Exception] = []

    class Asking(_Connect):
        def process_redirect(self, exc: Exception) -> Exception:
            asked.append(exc)
            return super().process_redirect(exc)

    def redirect(server: ServerConnection, _: Request) -> Response:
        response = server.respond(302, "elsewhere")
        response.headers["Location"] = "/elsewhere"
        return response

    async def never(_: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=redirect) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidStatus):
            await Asking(f"ws://127.0.0.1:{port}", proxy=None)
    (error,) = asked
    assert isinstance(error, InvalidStatus)
