"""A session on a connection of asyncio. The only module here with sockets.

    await loop.create_connection(lambda: FixConnection(application, clock), host, port)   or
    await loop.create_server(lambda: FixConnection(Application(…), clock, READING), host, port)

The connection feeds the session what arrives, writes what it says, lets it look at the time, and
closes when it has ended. What happens, the application is told; to speak, it calls `send`:

    while connection.can_write and (news := mailbox.take()):     here, and in `on_writable`
        connection.send(b"W", body(news))

A number is given by `send`, so what waits for a peer that reads slowly is to wait in the
application, which can replace it by what is newer. Nothing here is unbounded: a peer that stops
reading, or that asks without reading, is cut, and one that sends without end is read at a pace.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, Protocol, cast

from dragonfly_fix.codec import FixMessage
from dragonfly_fix.sequencing import CUT_AFTER, FixSession
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.session_terms import FixEvent

__all__ = ["FixApplication", "FixClock", "FixConnection", "Reading"]

TICK_S: Final = 0.2
MOST_WAITING: Final = 256 << 10
"""Bytes in the transport beyond which an application is to write no more."""
MOST_UNREAD: Final = 4 * MOST_WAITING
"""Bytes in the transport that answers and heartbeats may add up to: then the peer is cut."""
CLOSED_WITHIN_S: Final = 2.0
"""How long the last words may take to leave."""
READ_AT_ONCE: Final = 64 << 10
SLICE: Final = 4 << 10
"""Read at once of a peer that is read at a pace: others wait no longer than this takes."""


class FixClock(Protocol):
    """The time of day in nanoseconds since 1970, and seconds that never go back."""

    def now_ns(self) -> int: ...
    def monotonic(self) -> float: ...


class FixApplication(Protocol):
    """What a connection needs of the one whose messages it carries."""

    def on_connected(self, connection: FixConnection) -> FixSession:
        """Return a new session for a connection that was just made."""

    def on_event(self, event: FixEvent) -> None:
        """Take what the session tells."""

    def on_writable(self) -> None:
        """Go on writing: `can_write` is true again."""

    def on_lost(self) -> None:
        """Take note that the connection is closed; the session's `reason` says why."""


class Reading(NamedTuple):
    """How much of a peer is read: `burst` bytes at once, and `bytes_per_s` on average."""

    burst: int
    bytes_per_s: float


class FixConnection(asyncio.BufferedProtocol):
    """Drives one session on one transport, TLS or not."""

    transport: asyncio.Transport
    session: FixSession
    """Of `on_connected`; both are there from then on."""

    def __init__(
        self, application: FixApplication, clock: FixClock, reading: Reading | None = None
    ) -> None:
        """Without `reading`, all that the peer sends is read at once."""
        self.can_write = False
        """Whether little waits in the transport. A session that is not ACTIVE takes nothing."""
        self._application = application
        self._clock = clock
        self._reading = reading
        self._buffer = memoryview(bytearray(SLICE if reading else READ_AT_ONCE))
        self._left_to_read = float(reading.burst) if reading else 0.0
        self._ticked_at = self._progress_at = clock.monotonic()
        self._written = self._gone = 0
        self._closing_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    # What an application does.

    def send(self, msg_type: bytes, body: bytes, *, poss_resend: bool = False) -> int:
        """Write an application message, and return its number: see `FixSession.send`."""
        number = self.session.send(msg_type, body, *self._now(), poss_resend=poss_resend)
        self.flush()
        return number

    def reject_business(
        self, message: FixMessage, reason: int, text: str, ref_id: bytes = b""
    ) -> None:
        """Refuse an application message: see `FixSession.reject_business`."""
        self.session.reject_business(message, reason, text, *self._now(), ref_id)
        self.flush()

    def test(self, test_id: bytes) -> None:
        """Ask the peer for a sign of life: see `FixSession.test`."""
        self.session.test(test_id, *self._now())
        self.flush()

    def leave(self, text: str) -> None:
        """Log out, and close when the peer has answered, or did not in time."""
        self.session.leave(text, *self._now())
        self.flush()

    def flush(self) -> None:
        """Write what the session has to say: for who gave it something directly."""
        # Of a replay as much is made as the peer reads; all else goes out whether it does or not.
        while self.can_write or not self.session.is_replaying:
            output = self.session.output()
            if not output:
                break
            self._written += len(output)
            self.transport.write(output)
            if self.transport.get_write_buffer_size() > MOST_UNREAD:
                self._cut(f"over {MOST_UNREAD >> 20} MiB that it is sent waits unread")
        if self.session.state is SessionState.ENDED and self._closing_since is None:
            self._closing_since = self._clock.monotonic()
            self.transport.close()

    def end(self, reason: str) -> None:
        """Close without a further word."""
        self.session.end(reason)
        self.flush()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(MOST_WAITING)
        self.can_write = True
        self._progress_at = self._clock.monotonic()
        self.session = self._application.on_connected(self)
        self.flush()
        self._schedule()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        for event in self.session.receive(bytes(self._buffer[:nbytes]), *self._now()):
            self._application.on_event(event)
        self.flush()
        if self._reading is not None:
            self._left_to_read -= nbytes
            if self._left_to_read <= 0:
                self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.can_write = False

    def resume_writing(self) -> None:
        self.can_write = True
        self.flush()
        if self.can_write:
            self._application.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self.can_write = False
        if self._timer is not None:
            self._timer.cancel()
        why = f"the connection was lost: {exc}" if exc else "the other side closed"
        self.session.end(self.session.reason or why)
        self._application.on_lost()

    # Its own.

    def _now(self) -> tuple[float, int]:
        return self._clock.monotonic(), self._clock.now_ns()

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._schedule()
        now = self._clock.monotonic()
        self.session.tick(*self._now())
        self.flush()
        if self._reading is not None:
            self._allow(self._reading, now)
        self._ticked_at = now
        self._watch_progress(now)

    def _allow(self, reading: Reading, now: float) -> None:
        more = (now - self._ticked_at) * reading.bytes_per_s
        self._left_to_read = min(self._left_to_read + more, float(reading.burst))
        if self._left_to_read > 0 and not self.transport.is_reading():
            self.transport.resume_reading()

    def _watch_progress(self, now: float) -> None:
        waiting = self.transport.get_write_buffer_size()
        gone, before = self._written - waiting, self._gone
        self._gone = gone
        limit_s = CUT_AFTER * self.session.heartbeat_s
        if not waiting or gone > before:
            self._progress_at = now
        elif limit_s and now - self._progress_at >= limit_s:
            self._cut(f"nothing that it is sent was read for {limit_s:g} s")
        if self._closing_since is not None and now - self._closing_since >= CLOSED_WITHIN_S:
            self.transport.abort()

    def _cut(self, reason: str) -> None:
        self.session.end(reason)
        self.transport.abort()
