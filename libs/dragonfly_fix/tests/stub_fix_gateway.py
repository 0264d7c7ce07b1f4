"""A FIX gateway as far as a client sees one: it answers, and says what a test lets it say."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from dragonfly_common.clock import SystemClock
from dragonfly_fix.codec import FixMessage, encode_fields
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.session import (
    Acceptor,
    FixEvent,
    FixSession,
    LoggedOn,
    LogonAdmitted,
    LogonRefused,
    Received,
)
from dragonfly_fix.store import MemoryStore
from patience import eventually

__all__ = ["StubFixGateway"]

CLOCK = SystemClock()


class _Customer:
    """One connection."""

    def __init__(self, gateway: StubFixGateway) -> None:
        self._gateway = gateway

    def on_connected(self, connection: FixConnection) -> FixSession:
        self.connection = connection
        return Acceptor(self._admit, CLOCK.monotonic())

    def _admit(self, logon: FixMessage) -> LogonAdmitted | LogonRefused:
        self._gateway.received.append(logon)
        if self._gateway.refusal is not None:
            return LogonRefused(self._gateway.refusal)
        return LogonAdmitted(MemoryStore(keeps=False))

    def on_event(self, event: FixEvent) -> None:
        if isinstance(event, LoggedOn):
            self._gateway.customers.append(self)
        elif isinstance(event, Received):
            self._gateway.received.append(event.message)

    def on_writable(self) -> None: ...

    def on_lost(self) -> None:
        self._gateway.lost += 1
        if self in self._gateway.customers:
            self._gateway.customers.remove(self)


class StubFixGateway:
    """Listens on loopback."""

    def __init__(self, tls: ssl.SSLContext | None = None, refusal: str | None = None) -> None:
        self._tls = tls
        self.refusal = refusal
        self.received: list[FixMessage] = []
        self.customers: list[_Customer] = []
        self.lost = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: FixConnection(_Customer(self), CLOCK), "127.0.0.1", 0, ssl=self._tls
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.drop()
        await self._server.wait_closed()

    async def asked(self, kind: bytes, times: int = 1) -> None:
        """Return once so many messages of a type have come."""
        await eventually(
            lambda: [one.type for one in self.received].count(kind) >= times, f"a {kind!r} comes"
        )

    def say(self, kind: bytes, fields: str) -> None:
        """Send a message to whoever is logged on; fields are as documents draw them."""
        pairs = (field.partition("=") for field in fields.split("|"))
        body = encode_fields([(int(tag), value.encode()) for tag, _, value in pairs])
        for customer in self.customers:
            customer.connection.send(kind, body)

    def drop(self) -> None:
        """Cut all connections."""
        for customer in list(self.customers):
            customer.connection.transport.abort()
