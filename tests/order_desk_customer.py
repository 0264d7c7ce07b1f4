"""A customer that trades over FIX, and keeps its numbers when its line breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

from dragonfly_common.clock import SystemClock
from dragonfly_fix.codec import FixMessage, decode_fields, encode_fields
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.session import (
    FixEvent,
    FixSession,
    Initiator,
    LoggedOn,
    LoggedOut,
    Received,
    Rejected,
    Rules,
)
from dragonfly_fix.store import MemoryStore
from dragonfly_fix.timestamps import format_timestamp
from patience import patiently

__all__ = ["OrderCustomer", "judge", "shown"]

HEARTBEAT_S: Final = 30


def shown(message: FixMessage, *tags: int) -> str:
    """Return some fields of a message as documents draw them."""
    parts = [f"{tag}={(message.get(tag) or b'').decode()}" for tag in tags if message.get(tag)]
    return "|".join([f"35={message.type.decode()}", *parts])


class OrderCustomer:
    """One customer, over as many connections as it takes."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.received: list[FixMessage] = []
        self.rejections: list[FixMessage] = []
        self.farewell: str | None = None
        self.connection: FixConnection
        self._store = MemoryStore()
        self._clock = SystemClock()
        self._logged_on = asyncio.Event()
        self._lost = asyncio.Event()
        self._came = asyncio.Event()

    @asynccontextmanager
    async def line(self, *, reset: bool = False) -> AsyncIterator[None]:
        """Log on; at the end the line breaks."""
        self._logged_on.clear()
        self._lost.clear()
        host, _, port = self.address.rpartition(":")
        self._reset = reset
        async with patiently():
            await asyncio.get_running_loop().create_connection(
                lambda: FixConnection(self, self._clock), host, int(port)
            )
            ends = [asyncio.ensure_future(one.wait()) for one in (self._logged_on, self._lost)]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        try:
            yield
        finally:
            self.connection.transport.abort()
            await self.lost()

    def is_lost(self) -> bool:
        return self._lost.is_set()

    async def lost(self) -> None:
        async with patiently():
            await self._lost.wait()

    def on_connected(self, connection: FixConnection) -> FixSession:
        self.connection = connection
        now, now_ns = self._clock.monotonic(), self._clock.now_ns()
        return Initiator(
            self.name,
            "DRAGONFLY-OE",
            self._store,
            now,
            now_ns,
            heartbeat_s=HEARTBEAT_S,
            reset=self._reset,
            rules=Rules(strict=True),
        )

    def on_event(self, event: FixEvent) -> None:
        match event:
            case LoggedOn():
                self._logged_on.set()
            case LoggedOut(text):
                self.farewell = text
            case Received(message):
                self.received.append(message)
                self._came.set()
            case Rejected(reject):
                self.rejections.append(reject)
            case _:
                pass

    def on_writable(self) -> None:
        pass

    def on_lost(self) -> None:
        self._lost.set()

    def begin_anew(self) -> None:
        """Begin the numbers at 1, as after the daily reset."""
        self._store.reset()

    def send(self, kind: str, text: str, *, again: bool = False) -> None:
        """Send a message; its TransactTime (60) is now."""
        body = decode_fields(text.replace("|", "\x01").encode() + b"\x01")
        if kind in {"D", "F", "G", "q"}:
            body.append((60, format_timestamp(self._clock.now_ns())))
        self.connection.send(kind.encode(), encode_fields(body), poss_resend=again)

    async def ask(self, kind: str, text: str, *, again: bool = False) -> FixMessage:
        """Send a message, and return what comes next."""
        seen = len(self.received)
        self.send(kind, text, again=again)
        return await self.after(seen)

    async def after(self, seen: int) -> FixMessage:
        """Return the message behind the first `seen`."""
        async with patiently():
            while len(self.received) <= seen:
                self._came.clear()
                await self._came.wait()
        return self.received[seen]

    async def having(self, tag: int, value: str) -> FixMessage:
        """Return the first message with a field."""
        seen = 0
        while (message := await self.after(seen)).get(tag) != value.encode():
            seen += 1
        return message

    async def until(self, name: str, exec_type: str) -> FixMessage:
        """Return the first ExecutionReport of an order, by any of its names, with this 150."""
        wanted = exec_type.encode()
        seen = 0
        while True:
            message = await self.after(seen)
            seen += 1
            if message.get(150) == wanted and name.encode() in {message.get(11), message.get(41)}:
                return message


def judge(reports: list[FixMessage]) -> None:
    """Hold an order's ExecutionReports (8) against what they promise, in their order."""
    told = [one for one in reports if one.type == b"8" and one.get(150) != b"I"]
    ids = [one.get(17) for one in told]
    assert len(ids) == len(set(ids)), "an ExecID came twice"
    amount = paid = Decimal(0)
    for one in told:
        number = {tag: Decimal((one.get(tag) or b"0").decode()) for tag in (6, 14, 31, 32, 38, 151)}
        if one.get(150) == b"F":
            amount += number[32]
            paid += number[32] * number[31]
        assert number[14] == amount, shown(one, 11, 14, 32, 150)
        if one.get(39) in {b"0", b"1", b"6", b"9", b"A", b"E"}:
            assert number[38] == number[14] + number[151], shown(one, 38, 14, 151, 39)
        else:
            assert number[151] == 0
        if amount:
            assert abs(number[6] - paid / amount) <= Decimal("1e-15"), shown(one, 6, 14)
