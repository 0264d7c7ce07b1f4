"""What `connection.py` overrides in websockets is private there: a release may move it.

Where this fails after a new version was pinned, the library no longer calls what we override: mend
`VenueConnection`, or take the version before and narrow the range in pyproject.toml.
"""

from __future__ import annotations

from typing import Any

from patience import patiently
from venue_simulator.connection import VenueConnection
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode


class Recorder(VenueConnection):
    """Notes what the library calls."""

    sent: int
    events: list[object]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sent, self.events = 0, []

    def send_data(self) -> None:
        self.sent += 1
        super().send_data()

    def process_event(self, event: Any) -> None:
        self.events.append(event.opcode if isinstance(event, Frame) else type(event))
        super().process_event(event)


async def test_websockets_still_calls_the_connections_hooks_that_we_override() -> None:
    made: list[Recorder] = []

    async def push(server: ServerConnection) -> None:
        assert isinstance(server, Recorder)
        made.append(server)
        before = server.sent
        await server.send("by the library")
        assert server.sent > before
        assert server.push("by ourselves")
        assert server.push(b"in binary")
        await server.lost()

    async with serve(push, "127.0.0.1", 0, create_connection=Recorder) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with patiently(), connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
            heard = [await client.recv() for _ in range(3)]
            assert heard == ["by the library", "by ourselves", b"in binary"]
            before = made[0].sent
            await (await client.ping())
            assert made[0].sent > before
    (server,) = made
    assert Opcode.PING in server.events
