"""Customers of the FIX gateway that cost little, so that many fit into a process."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from typing import Final, NamedTuple

from dragonfly_common.clock import SystemClock
from dragonfly_fix.codec import FixDecoder, FixMessage, encode, encode_fields
from dragonfly_fix.timestamps import format_timestamp

__all__ = ["Customer", "Login", "NotingCustomer"]

HEARTBEAT_S: Final = 60

_names: Final = itertools.count()


class Login(NamedTuple):
    """Username (553) and Password (554)."""

    name: bytes
    token: bytes


class Customer(asyncio.Protocol):
    """Logs on, subscribes, and counts what comes."""

    transport: asyncio.Transport

    def __init__(
        self, instrument: str, update_type: bytes = b"0", login: Login | None = None
    ) -> None:
        """`update_type` is MDUpdateType (265); with a `login` its name is the CompID too."""
        self.books = self.bytes = 0
        self.first = asyncio.Event()
        self.lost = asyncio.Event()
        self._instrument, self._update_type, self._login = instrument.encode(), update_type, login
        self._name = login.name if login else b"BOT-%d-%d" % (os.getpid(), next(_names))
        self._number = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        logon = [(98, b"0"), (108, b"%d" % HEARTBEAT_S), (141, b"Y")]
        if self._login:
            logon += [(553, self._login.name), (554, self._login.token)]
        self.say(b"A", encode_fields(logon))
        wish = [(262, b"m"), (263, b"1"), (264, b"0"), (265, self._update_type)]
        what = [(267, b"2"), (269, b"0"), (269, b"1"), (146, b"1"), (55, self._instrument)]
        self.say(b"V", encode_fields([*wish, *what]))

    def data_received(self, data: bytes) -> None:
        # The head of a message may be cut in two: one of thousands is not counted then.
        self.books += data.count(b"\x0135=W\x01") + data.count(b"\x0135=X\x01")
        self.bytes += len(data)
        if self.books:
            self.first.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def say(self, kind: bytes, body: bytes) -> None:
        """Send a message."""
        now = format_timestamp(SystemClock.now_ns())
        header = [(34, b"%d" % next(self._number)), (49, self._name), (52, now)]
        header.append((56, b"DRAGONFLY-MD"))
        self.transport.write(encode(kind, encode_fields(header), body))


class NotingCustomer(Customer):
    """Decodes all that it is sent, and notes when each state of the venue came."""

    def __init__(self, instrument: str, login: Login | None = None) -> None:
        super().__init__(instrument, login=login)
        self.came: dict[int, int] = {}
        """Nanoseconds since 1970, by the venue's number (299) of the newest state in a book."""
        self._decoder = FixDecoder()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        for found in self._decoder.feed(data):
            if isinstance(found, FixMessage) and found.type == b"W":
                number = max((int(value) for tag, value in found.fields if tag == 299), default=0)
                self.came.setdefault(number, time.time_ns())
