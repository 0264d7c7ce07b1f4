"""The FIX gateway over a real socket, between a fake aggregator and a customer.

An input is messages, as those of `target_fix`. One that begins with a Logon is the first of its
connection; else whoever sends it is logged on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from dragonfly_common.clock import ManualClock
from dragonfly_common.messages import Body, EncodedView, Heartbeat, Instruments, VenueStatus
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.types import FeedState
from dragonfly_fix.codec import FixDecoder, FixMessage
from dragonfly_fix.fix44 import FIX44
from dragonfly_protos import market_data_pb2 as pb
from fix_gateway.customers import CustomerSession
from fix_gateway.md_session import CustomerLimits
from fix_gateway.service import FixGatewayOptions, _FixGateway
from fuzzing import Target
from mutation import Form
from target_bus import PUBLISHER, Wire, message, parts_of
from target_fix import BODIES, EPOCH, ORDER, fields, framed, numbered, wire
from target_gateway import a_book

__all__ = ["TARGETS"]

MARKET: Final = "DRAGONFLY-MD"
BOTH: Final = "267=2|269=0|269=1|146=1|55=ETH-BTC"
LOGON: Final = "35=A|98=0|108=60|141=Y|553=ME|554=token"
BOOK_TOPIC: Final = "view.book.ETH-BTC."
TURNS: Final = 12
"""Of the loop, until all that a customer sent is answered."""


class _Clock(ManualClock):
    """Of which the time of day stands still, as in the messages that are sent."""

    def now_ns(self) -> int:
        return EPOCH


class Gateway(Target):
    """All that it writes is right by the dictionary; a good customer gets a book afterwards."""

    name = "fix.gateway"
    form = Form.MSGPACK
    weight = 10

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self._wrong.append(context))
        self._wrong: list[dict[str, Any]] = []
        self._gateway: _FixGateway | None = None
        self._line: socket.socket | None = None

    def seeds(self) -> Sequence[bytes]:
        texts = (
            f"35=V|262=m|263=1|264=0|265=0|266=N|{BOTH}",
            f"35=V|262=x|263=1|264=10|265=1|266=N|{BOTH}",
            f"35=V|262=b|263=1|264=1|{BOTH}",
            f"35=V|262=l|263=0|264=5|266=Y|{BOTH}",
            f"35=V|262=m|263=2|264=0|{BOTH}",
            "35=e|324=s|55=ETH-BTC|207=KRAKEN|263=1",
            "35=x|320=l|559=4",
            "35=x|320=o|559=0|55=ETH-BTC",
            f"35=D|{ORDER}",
            *BODIES[:9],
        )
        turns = [[fields(text, 2, MARKET)] for text in texts]
        turns.append([fields(text, 2 + at, MARKET) for at, text in enumerate(texts[:8])])
        turns.append([fields(LOGON, 1, MARKET), fields(texts[0], 2, MARKET)])
        return [msgspec.msgpack.encode(messages) for messages in turns]

    def reset(self) -> None:
        self._loop.run_until_complete(self._begin())

    def feed(self, data: bytes) -> str:
        kinds = {each.type.decode() for each in self._loop.run_until_complete(self._say(data))}
        assert not self._wrong, self._wrong
        return " ".join(sorted(kinds)) or ("silence" if self._line else "closed")

    def mend(self, data: bytes) -> bytes:
        return numbered(data, 1 if _begins_with_logon(data) else self._number)

    def check(self) -> None:
        self._loop.run_until_complete(self._check())

    def close(self) -> None:
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _begin(self) -> None:
        await self._end()
        self._wire, self._seq, self._number = Wire(_Clock()), 1, 1
        options = FixGatewayOptions(
            upstreams=["inproc://fuzzing"],
            bind="127.0.0.1:0",
            instruments=("ETH-BTC",),
            limits=CustomerLimits(depth=10, max_instruments=4, max_requests=6),
            linger_s=0.5,
            max_sessions=4,
            patience_s=0.0,
            settles_after_s=0.0,
        )
        runtime = Runtime("fix", RuntimeOptions("fix", log_level="critical"), self._wire.clock)
        self._gateway = _FixGateway(runtime, options)
        [views] = self._gateway.views
        views.close()
        self._wire.subscriber.subscribe("status.")
        views.subscriber = views.relay._upstream = self._wire.subscriber
        self._gateway.start()
        self._hear("status.venue.kraken.", VenueStatus("kraken", FeedState.LIVE, "", "l", 1, 2, 1))
        self._hear("status.instruments.kraken.", Instruments("kraken", ("BTC-USD", "ETH-BTC")))
        for key, kind in (("book", pb.Book), ("bbo", pb.Bbo), ("liquidity", pb.Liquidity)):
            view = EncodedView(live=True, depth=10, body=a_book(kind))
            self._hear(f"view.{key}.ETH-BTC.", view)

    def _hear(self, topic: str, body: Body) -> None:
        """Let the gateway hear of its aggregator."""
        assert self._gateway is not None
        link, clock = self._wire._link, self._wire.clock
        clock.advance(0.01)
        link.arriving.append(parts_of(message(topic, body, self._seq, clock.now_ns())))
        self._gateway.on_activity()
        link.arriving.clear()

    async def _end(self) -> None:
        if self._gateway is not None:
            await self._hang_up()
            await self._gateway.stop()

    async def _say(self, data: bytes) -> list[FixMessage]:
        if _begins_with_logon(data):
            await self._connect()
        elif self._line is None or not any(map(_hears, self._sessions())):
            await self._log_on()
        return await self._exchange(wire(data))

    async def _check(self) -> None:
        await self._log_on()
        answer = await self._ask(f"35=V|262=good|263=1|264=0|{BOTH}", 2)
        assert answer.type == b"W", answer
        for _ in range(80):  # what it believed of its aggregator may have to be forgotten first
            self._wire.clock.advance(0.25)
            self._seq += 1
            beat = Heartbeat({BOOK_TOPIC: self._seq - 1})
            view = EncodedView(live=True, depth=10, body=a_book(price=7.0 + self._seq))
            self._hear(f"hb.{PUBLISHER}", beat)
            self._hear(BOOK_TOPIC, view)
            if await self._exchange(b""):
                return
            await asyncio.sleep(0.001)
        raise AssertionError("a good customer was not told of a new book")

    async def _connect(self) -> None:
        await self._hang_up()
        assert self._gateway is not None
        door = self._gateway._door
        door._failures.clear()  # whose Logon failed waits before it is let in again
        listening = door._socket
        assert listening is not None
        self._line = socket.create_connection(listening.getsockname())
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line.setblocking(False)
        self._read, self._number = FixDecoder(), 1
        await self._turn()

    async def _log_on(self) -> None:
        await self._connect()
        answer = await self._ask(LOGON, 1)
        assert answer.type == b"A", answer

    async def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
            await self._turn()
            for session in [*self._sessions()]:  # that flooded, and are read at a pace
                session.connection.transport.abort()
            await self._turn()

    async def _ask(self, text: str, number: int) -> FixMessage:
        """Send a good message, and return the first answer, for which a busy kernel may take."""
        answers = await self._exchange(framed(fields(text, number, MARKET)))
        while not answers:
            await asyncio.sleep(0.001)
            answers = await self._exchange(b"")
        return answers[0]

    async def _exchange(self, data: bytes) -> list[FixMessage]:
        """Send bytes, and return what has come by now."""
        assert self._line is not None, "the gateway hung up"
        self._line.send(data)
        await self._turn()
        answers = list[FixMessage]()
        for found in self._answers():
            assert isinstance(found, FixMessage), found
            FIX44.check(found, strict=True)
            answers.append(found)
        for session in self._sessions():
            self._number = session.store.next_in
        return answers

    def _sessions(self) -> set[CustomerSession]:
        assert self._gateway is not None
        return self._gateway._customers.sessions

    def _answers(self) -> Iterator[object]:
        while self._line is not None:
            try:
                data = self._line.recv(1 << 16)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            yield from self._read.feed(data)
            if not data:
                self._line.close()
                self._line = None

    async def _turn(self) -> None:
        assert self._gateway is not None
        for _ in range(TURNS):
            await asyncio.sleep(0)
            self._gateway.on_activity()


def _hears(session: CustomerSession) -> bool:
    """Say whether a session is logged on, and was not sent so much that it is read at a pace."""
    return session.is_active() and session.connection.transport.is_reading()


def _begins_with_logon(data: bytes) -> bool:
    return b"35=A" in wire(data)[:40]


TARGETS: Final = (Gateway,)
