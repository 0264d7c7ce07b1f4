from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from dragonfly_common.clock import ManualClock, SystemClock
from dragonfly_fix.codec import encode, encode_fields
from dragonfly_fix.connection import (
    MOST_UNREAD,
    MOST_WAITING,
    FixClock,
    FixConnection,
    Reading,
)
from dragonfly_fix.session import (
    Acceptor,
    FixEvent,
    FixSession,
    Initiator,
    LoggedOn,
    LoggedOut,
    LogonAdmitted,
    Received,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore
from dragonfly_fix.timestamps import format_timestamp
from fix_world import BODY, HEARTBEAT_S, app
from patience import PATIENCE_S, eventually

LONG_BODY = encode_fields([(148, b"x" * 4096), (33, b"1"), (58, b"x")])


class Application:
    """One side, which keeps what it is told."""

    def __init__(self, clock: FixClock, *, connects: bool) -> None:
        self._clock, self._connects = clock, connects
        self.events: list[FixEvent] = []
        self.writable = 0
        self.lost = False
        self.sent = 0
        self.keeps = False

    def on_connected(self, connection: FixConnection) -> FixSession:
        self.connection = connection
        now = self._clock.monotonic()
        if not self._connects:
            return Acceptor(lambda _: LogonAdmitted(MemoryStore(keeps=self.keeps)), now)
        return Initiator(
            "ME", "YOU", MemoryStore(), now, self._clock.now_ns(), heartbeat_s=HEARTBEAT_S
        )

    def on_event(self, event: FixEvent) -> None:
        self.events.append(event)

    def on_writable(self) -> None:
        self.writable += 1

    def on_lost(self) -> None:
        self.lost = True

    @property
    def active(self) -> bool:
        return any(isinstance(event, LoggedOn) for event in self.events)

    def fill(self) -> None:
        """Write until no more should be."""
        while self.connection.can_write:
            self.connection.send(b"B", LONG_BODY)
            self.sent += 1


@asynccontextmanager
async def served(
    clock: FixClock, reading: Reading | None = None
) -> AsyncIterator[tuple[Application, int]]:
    """Listen for one connection."""
    acceptor = Application(clock, connects=False)
    server = await asyncio.get_running_loop().create_server(
        lambda: FixConnection(acceptor, clock, reading), "127.0.0.1", 0
    )
    try:
        yield acceptor, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        if hasattr(acceptor, "connection"):
            acceptor.connection.transport.abort()
            await eventually(lambda: acceptor.lost, "the connection is lost")


async def connect(port: int, clock: FixClock) -> Application:
    initiator = Application(clock, connects=True)
    await asyncio.get_running_loop().create_connection(
        lambda: FixConnection(initiator, clock), "127.0.0.1", port
    )
    return initiator


def said(clock: FixClock, number: int, kind: bytes, body: bytes) -> bytes:
    header = [(34, b"%d" % number), (49, b"ME"), (52, format_timestamp(clock.now_ns()))]
    return encode(kind, encode_fields([*header, (56, b"YOU")]), body)


LOGON = encode_fields([(98, b"0"), (108, b"%d" % HEARTBEAT_S)])


@asynccontextmanager
async def stalling(
    acceptor: Application, port: int, clock: FixClock
) -> AsyncIterator[socket.socket]:
    """Log on, and read nothing from then on."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", port))
        peer.sendall(said(clock, 1, b"A", LOGON))
        await eventually(lambda: acceptor.active, "it is logged on")
        yield peer


async def test_two_sides_talk_and_part() -> None:
    clock = SystemClock()
    async with served(clock) as (acceptor, port):
        initiator = await connect(port, clock)
        await eventually(lambda: acceptor.active and initiator.active, "both are logged on")
        assert initiator.connection.send(b"B", BODY) == 2
        await eventually(lambda: app(acceptor.events) == [2], "it is heard")
        received = acceptor.events[-1]
        assert isinstance(received, Received)
        acceptor.connection.reject_business(received.message, 3, "no news here")
        await eventually(lambda: app(initiator.events) == [2], "the answer is heard")
        acceptor.connection.leave("closing time")
        await eventually(lambda: acceptor.lost and initiator.lost, "both are closed")
    assert LoggedOut("closing time") in initiator.events
    assert initiator.connection.session.reason == "the other side logged out: closing time"
    assert not acceptor.connection.can_write


async def test_a_connection_that_is_lost_ends_the_session() -> None:
    clock = SystemClock()
    async with served(clock) as (acceptor, port):
        initiator = await connect(port, clock)
        await eventually(lambda: acceptor.active and initiator.active, "both are logged on")
        initiator.connection.end("enough")
        await eventually(lambda: acceptor.lost and initiator.lost, "both are closed")
    assert initiator.connection.session.reason == "enough"
    assert acceptor.connection.session.reason == "the other side closed"


async def test_writing_pauses_while_much_waits_and_goes_on_when_it_is_read() -> None:
    clock = SystemClock()
    async with served(clock) as (acceptor, port):
        initiator = await connect(port, clock)
        await eventually(lambda: acceptor.active and initiator.active, "both are logged on")
        initiator.connection.transport.pause_reading()
        acceptor.fill()
        assert MOST_WAITING < acceptor.connection.transport.get_write_buffer_size() < MOST_UNREAD
        initiator.connection.transport.resume_reading()
        await eventually(lambda: acceptor.writable == 1, "it is told to go on")
        assert acceptor.connection.can_write
        await eventually(
            lambda: len(app(initiator.events)) == acceptor.sent, "all that was written is heard"
        )


async def test_a_replay_is_made_as_it_is_read() -> None:
    clock = SystemClock()
    async with served(clock) as (acceptor, port):
        acceptor.keeps = True
        initiator = await connect(port, clock)
        await eventually(lambda: acceptor.active and initiator.active, "both are logged on")
        for _ in range(1000):
            acceptor.connection.session.send(b"B", LONG_BODY, clock.monotonic(), clock.now_ns())
            acceptor.connection.session.output()  # which is lost
        acceptor.connection.send(b"B", BODY)
        await eventually(lambda: len(app(initiator.events)) == 1001, "all is sent again")
        assert app(initiator.events) == list(range(2, 1003))


async def test_a_peer_that_reads_nothing_is_cut_though_it_speaks() -> None:
    clock = ManualClock()
    async with served(clock) as (acceptor, port), stalling(acceptor, port, clock) as peer:
        acceptor.fill()
        await ticked(acceptor)
        for number, seconds in enumerate((12.0, 11.9), start=2):
            clock.advance(seconds)
            peer.sendall(said(clock, number, b"B", BODY))
            await eventually(lambda: number in app(acceptor.events), "it is heard")  # noqa: B023
            await ticked(acceptor)
        assert not acceptor.lost
        clock.advance(0.2)
        await eventually(lambda: acceptor.lost, "it is cut")
    assert acceptor.connection.session.reason == "nothing that it is sent was read for 24 s"


async def ticked(side: Application) -> None:
    """Return once a connection's timers have been looked at."""
    connection = side.connection
    timer = connection._timer
    await eventually(lambda: connection._timer is not timer, "the timers are looked at")


async def test_a_peer_that_asks_without_reading_is_cut() -> None:
    clock = SystemClock()
    async with served(clock) as (acceptor, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(said(clock, 1, b"A", LOGON))
        await eventually(lambda: acceptor.active, "it is logged on")
        test = encode_fields([(112, b"x" * 4096)])
        number = 2
        while not acceptor.lost:
            writer.write(said(clock, number, b"1", test))
            number += 1
            await asyncio.sleep(0)
        assert acceptor.connection.session.reason == "over 1 MiB that it is sent waits unread"
        writer.transport.abort()


@pytest.mark.parametrize("together", [True, False])
async def test_a_peer_is_read_at_a_pace(together: bool) -> None:
    clock = ManualClock()
    async with served(clock, Reading(burst=8192, bytes_per_s=1000.0)) as (acceptor, port):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            messages = [said(clock, 1, b"A", LOGON)]
            messages += [said(clock, number, b"B", BODY) for number in range(2, 1002)]
            for data in [b"".join(messages)] if together else messages:
                peer.sendall(data)
            transport = await asyncio.wait_for(_paused(acceptor), PATIENCE_S)
            heard = len(app(acceptor.events))
            size = len(messages[1])
            assert 8192 - size <= (heard + 2) * size
            assert heard * size <= 8192 + 4096
            clock.advance(4.0)
            await eventually(
                lambda: len(app(acceptor.events)) > heard and not transport.is_reading(),
                "as much more is read as the time allows",
            )
            assert 4000 - 2 * size <= (len(app(acceptor.events)) - heard) * size + 4096
            assert (len(app(acceptor.events)) - heard) * size <= 4000 + 4096 + size


async def _paused(acceptor: Application) -> asyncio.Transport:
    await eventually(
        lambda: acceptor.active and not acceptor.connection.transport.is_reading(), "it is paused"
    )
    return acceptor.connection.transport


async def test_last_words_that_nobody_reads_are_not_waited_for() -> None:
    clock = ManualClock()
    async with served(clock) as (acceptor, port), stalling(acceptor, port, clock):
        acceptor.fill()
        acceptor.connection.leave("closing time")
        assert acceptor.connection.session.state is SessionState.LEAVING
        clock.advance(2.0)
        await eventually(lambda: acceptor.connection.session.state is SessionState.ENDED, "it ends")
        clock.advance(2.0)
        await eventually(lambda: acceptor.lost, "it is cut")
    assert acceptor.connection.session.reason == "closing time"


async def test_what_is_no_fix_is_closed_without_a_word() -> None:
    clock = SystemClock()
    async with served(clock) as (acceptor, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100)
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        await eventually(lambda: acceptor.lost, "it is closed")
        writer.close()
    assert acceptor.connection.session.reason.startswith("garbled before a Logon")
