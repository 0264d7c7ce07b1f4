"""What surrounds the FIX gateway in the tests: customers, and the gateway itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from dragonfly_common.clock import Clock, SteadyClock, SystemClock
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_fix.codec import Field, FixMessage, decode_fields, encode_fields
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.fix44 import FIX44
from dragonfly_fix.session import (
    FixEvent,
    FixSession,
    Initiator,
    LoggedOn,
    LoggedOut,
    Received,
    Rejected,
)
from dragonfly_fix.store import MemoryStore
from fix_gateway.service import FixGatewayOptions, serve
from fix_page import documented
from patience import patiently
from view_world import until

__all__ = ["BOTH", "Customer", "Running", "drawn", "fields", "levels", "running"]

HEARTBEAT_S: Final = 60
"""As seldom as a gateway takes: a test beside other work may be long silent."""
BOTH: Final = "267=2|269=0|269=1"


def fields(text: str) -> bytes:
    """Return fields as documents draw them: `55=ETH-BTC|264=1`."""
    return encode_fields(decode_fields(text.replace("|", "\x01").encode() + b"\x01"))


def drawn(message: FixMessage) -> str:
    """Return a message as documents draw it, without its header."""
    header = FIX44.header.members
    body = [f"{tag}={value.decode()}" for tag, value in message.fields if tag not in header]
    return "|".join([f"35={message.type.decode()}", *body])


def levels(message: FixMessage) -> list[dict[int, str]]:
    """Return the entries of a W or X."""
    first = 279 if message.type == b"X" else 269
    found: list[dict[int, str]] = []
    for tag, value in message.fields:
        if tag == first:
            found.append({})
        if found:
            found[-1][tag] = value.decode()
    return found


class Customer:
    """One connection of a customer, whose engine rejects what is not as FIX 4.4 has it."""

    def __init__(self, name: str, target: str, logon: str, *, reset: bool = True) -> None:
        self._name, self._target, self._logon, self._reset = name, target, logon, reset
        self._clock = SystemClock()
        self._inbox: asyncio.Queue[FixMessage] = asyncio.Queue()
        self.connection: FixConnection
        self.logged_on = asyncio.Event()
        self.lost = asyncio.Event()
        self.farewell: str | None = None
        self.rejections: list[FixMessage] = []

    def on_connected(self, connection: FixConnection) -> FixSession:
        self.connection = connection
        return Initiator(
            self._name,
            self._target,
            MemoryStore(),
            self._clock.monotonic(),
            self._clock.now_ns(),
            heartbeat_s=HEARTBEAT_S,
            reset=self._reset,
            credentials=self._credentials,
        )

    def _credentials(self, number: int, time: bytes) -> list[Field]:
        return decode_fields(fields(self._logon)) if self._logon else []

    def on_event(self, event: FixEvent) -> None:
        match event:
            case LoggedOn():
                self.logged_on.set()
            case LoggedOut(text):
                self.farewell = text
            case Received(message):
                header = FIX44.header.members
                told = {tag for tag, _ in message.fields if tag not in header}
                assert told <= documented(message.type.decode()), drawn(message)
                self._inbox.put_nowait(message)
            case Rejected(reject):
                self.rejections.append(reject)
            case _:
                pass

    def on_writable(self) -> None:
        pass

    def on_lost(self) -> None:
        self.lost.set()

    def send(self, kind: str, text: str) -> None:
        self.connection.send(kind.encode(), fields(text))

    async def receive(self) -> FixMessage:
        async with patiently():
            return await self._inbox.get()

    async def receive_drawn(self) -> str:
        return drawn(await self.receive())

    async def ask(self, kind: str, text: str) -> str:
        """Send a message and return the next that comes, drawn."""
        self.send(kind, text)
        return await self.receive_drawn()

    async def nothing_more(self) -> None:
        """Make sure that all that was sent is answered, and nothing waits."""
        self.send("e", "324=the-end|55=x|263=1")
        assert (await self.receive_drawn()).startswith("35=j|45="), "something waited"

    async def end(self) -> str | None:
        """Wait until the connection is closed; return the gateway's last words."""
        async with patiently():
            await self.lost.wait()
        return self.farewell


class Running:
    """A gateway in the test's own loop."""

    def __init__(self, address: str, task: asyncio.Task[None]) -> None:
        self.address = address
        self.port = int(address.rpartition(":")[2])
        self._task = task

    @asynccontextmanager
    async def connected(
        self,
        name: str = "ME",
        *,
        target: str = "DRAGONFLY-MD",
        logon: str = "",
        context: ssl.SSLContext | None = None,
        reset: bool = True,
    ) -> AsyncIterator[Customer]:
        """Connect, and send a Logon."""
        customer = Customer(name, target, logon, reset=reset)
        async with patiently():
            await asyncio.get_running_loop().create_connection(
                lambda: FixConnection(customer, SystemClock()),
                "127.0.0.1",
                self.port,
                ssl=context,
                server_hostname="127.0.0.1" if context else None,
            )
        try:
            yield customer
        finally:
            customer.connection.transport.abort()
            await customer.end()

    @asynccontextmanager
    async def customer(
        self, name: str = "ME", *, logon: str = "", context: ssl.SSLContext | None = None
    ) -> AsyncIterator[Customer]:
        """Log on."""
        async with self.connected(name, logon=logon, context=context) as customer:
            async with patiently():
                await customer.logged_on.wait()
            yield customer

    async def stop(self) -> None:
        """Stop it as SIGTERM does."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class _NotingRuntime(Runtime):
    def __init__(self, level: str, clock: Clock | None = None) -> None:
        super().__init__("fix-gateway", RuntimeOptions("fix-gateway.test", log_level=level), clock)
        self.facts: Mapping[str, object] = {}

    def ready(self, **facts: object) -> None:
        self.facts = {**self.facts, **facts}
        super().ready(**facts)


@asynccontextmanager
async def running(options: FixGatewayOptions, log_level: str = "error") -> AsyncIterator[Running]:
    """Run a gateway. What the machine takes from this process is nobody's silence."""
    clock = SteadyClock()
    runtime = _NotingRuntime(log_level, clock)
    ticking = asyncio.create_task(clock.keep_running())
    task = asyncio.create_task(serve(runtime, options))
    await until(lambda: "fix" in runtime.facts or task.done())
    if task.done():
        await task
    gateway = Running(str(runtime.facts["fix"]), task)
    try:
        yield gateway
    finally:
        await gateway.stop()
        ticking.cancel()
