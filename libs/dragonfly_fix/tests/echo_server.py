"""An acceptor over TCP whose application says back what it is sent, for acceptance scripts."""

from __future__ import annotations

import asyncio
import re
import time
from types import TracebackType
from typing import Final, Self

from dragonfly_fix.codec import FixMessage, encode_fields
from dragonfly_fix.dictionary import Dictionary
from dragonfly_fix.fix44 import COMPONENTS, FIELDS, HEADER, KNOWN_TYPES, MESSAGES, TRAILER
from dragonfly_fix.session import Acceptor, LogonAdmitted, LogonRefused, Received, Rules
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore

__all__ = ["EchoServer"]

PEER: Final = (b"TW44", b"ISLD")
UNSUPPORTED_TYPE: Final = 3
TICK_S: Final = 0.02
HEARTBEATS: Final = re.compile(rb"\x0135=[01]\x01")

# The scripts send one message that is not spoken here.
FIX44_AND_DEFINITIONS: Final = Dictionary(
    fields=FIELDS + "323 SecurityResponseType INT 1-6\n454 NoSecurityAltID NUMINGROUP\n"
    "455 SecurityAltID STRING\n456 SecurityAltIDSource STRING",
    components=COMPONENTS,
    header=HEADER,
    trailer=TRAILER,
    messages=MESSAGES + "d SecurityDefinition: 320! 322! 323! instrument 336 58 454(455 456)",
    known_types=KNOWN_TYPES,
)
RULES: Final = Rules(
    dictionary=FIX44_AND_DEFINITIONS,
    heartbeat_s=(2, 30),
    logout_within_s=0.02,
    strict=True,
    checks_sent=True,
)


class EchoServer:
    """Listens on `port` of loopback, with a clock of its own.

    The clock runs `speed` times as fast as ours. Behind a Heartbeat or TestRequest it stands still
    until something is heard, for `patience_s` at most, and otherwise goes on a tick at a time: a
    slow machine is no silent peer, and no two of its times come at once.
    """

    def __init__(self, speed: float, patience_s: float) -> None:
        self._speed, self._patience_s = speed, patience_s
        self._now = 0.0
        self._ran_at = self._held_until = time.monotonic()
        self._live: set[tuple[bytes | None, bytes | None]] = set()
        self._serving: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*filter(None, self._serving))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        identity = None
        orders: set[bytes | None] = set()

        def admit(logon: FixMessage) -> LogonAdmitted | LogonRefused:
            nonlocal identity
            peer = (logon.get(49), logon.get(56))
            if peer != PEER or peer in self._live:
                return LogonRefused()
            self._live.add(peer)
            identity = peer
            return LogonAdmitted(MemoryStore())

        def answer(message: FixMessage) -> None:
            again, order = message.get(97) == b"Y", message.get(11)
            if message.type not in {b"D", b"d"}:
                text = "Unsupported Message Type"
                session.reject_business(message, UNSUPPORTED_TYPE, text, *self._clocks())
            elif not (again and order in orders):
                orders.add(order)
                header = FIX44_AND_DEFINITIONS.header.members
                body = sorted(field for field in message.fields if field[0] not in header)
                session.send(message.type, encode_fields(body), *self._clocks(), poss_resend=again)

        session = Acceptor(admit, self._clocks()[0], RULES)
        try:
            while session.state is not SessionState.ENDED:
                data = b""
                try:
                    async with asyncio.timeout(TICK_S):
                        data = await reader.read(1 << 16)
                    if not data:
                        break
                    self._held_until = 0.0
                except TimeoutError:
                    session.tick(*self._clocks())
                for event in session.receive(data, *self._clocks()):
                    if isinstance(event, Received):
                        answer(event.message)
                output = session.output()
                writer.write(output)
                if HEARTBEATS.search(output):
                    self._held_until = time.monotonic() + self._patience_s
        except ConnectionError:
            pass
        finally:
            self._live.discard(identity or (None, None))
            writer.close()

    def _clocks(self) -> tuple[float, int]:
        real = time.monotonic()
        passed = max(0.0, real - max(self._ran_at, self._held_until))
        self._now += min(passed, TICK_S) * self._speed
        self._ran_at = real
        return self._now, time.time_ns()
