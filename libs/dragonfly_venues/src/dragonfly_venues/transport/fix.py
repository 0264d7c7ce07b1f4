"""FIX over TCP and TLS, as a client that logs on.

A connection is open once the venue has answered our Logon. Its messages are handed on as they came,
all but those of the session; what is sent is given as fields from MsgType (35) on. A Reject (3) has
the message that it refuses behind it, so that whoever reads it sees what that was.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from dragonfly_common.clock import SystemClock
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.session import (
    Answered,
    FixEvent,
    FixSession,
    Initiator,
    LoggedOn,
    LoggedOut,
    NotLoggedOnError,
    Received,
    Rejected,
    Rules,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore

from dragonfly_venues.transport.connection import Connection
from dragonfly_venues.transport.errors import (
    ClosedError,
    LogonRefusedError,
    ProxyError,
    TransportError,
    UnreachableError,
    VenueProtocolError,
    plain,
)
from dragonfly_venues.transport.inbox import Inbox
from dragonfly_venues.transport.proxies import Proxy, proxy_of
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust
from dragonfly_venues.venue import FixKey, LogonTerms

__all__ = ["FixVenueClient"]

OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 0.5
COMP_ID_BYTES: Final = 4
"""Of chance, which are written as eight characters."""
MOST_SENT: Final = 4096
"""Messages of ours that are remembered, for a Reject to name."""
ENCRYPTED: Final = "fix+tls"
DEFAULT_PORT: Final = 9000


class FixVenueClient:
    """Opens sessions of FIX, each with a CompID of its own."""

    def __init__(
        self,
        *,
        trust: Trust,
        max_frame_bytes: int,
        standing: Standing,
        logon: LogonTerms,
        key: FixKey,
    ) -> None:
        self._trust = trust
        self._standing = standing
        self._logon = logon
        self._key = key
        # Nothing is sent again: a number that is missing is the end. The decoder knows the venue's
        # own tags, and judges what it reads.
        self._rules = Rules(recovers=False, checks_received=False, longest_frame=max_frame_bytes)

    async def connect(self, url: str) -> Connection:
        """Open a connection and log on.

        Raises:
            TransportError: it could not be; the error says how soon to try again.
        """
        parts = urlsplit(url)
        with self._standing.attempt(url):
            proxy = proxy_of(url, os.environ)
            said = f"{url} through {proxy.told}" if proxy else url
            stream: _FixStream | None = None
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    if parts.scheme == ENCRYPTED:
                        stream = await self._trust.verify(
                            said, lambda tls: self._open(parts, proxy, tls)
                        )
                    else:
                        stream = await self._open(parts, proxy, None)
                    await stream.opened
            except BaseException as error:
                if stream is not None:
                    stream.abort()
                if isinstance(error, _LogonError):
                    raise error.told(said) from None
                if isinstance(error, _TunnelError):
                    raise ProxyError(f"{said} cannot be reached, it answers: {error}") from None
                if isinstance(error, OSError):
                    raise _unreachable(said, error) from error
                raise
            return stream

    async def _open(
        self, parts: SplitResult, proxy: Proxy | None, tls: ssl.SSLContext | None
    ) -> _FixStream:
        stream = _FixStream(self._new_session)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        there: dict[str, Any] = {"host": host, "port": port}
        if proxy is not None:
            there = {"sock": await _tunnel(proxy, host, port)}
        await asyncio.get_running_loop().create_connection(
            lambda: _FixLine(stream, SystemClock()),
            ssl=tls,
            server_hostname=host if tls is not None else None,
            **there,
        )
        return stream

    def _new_session(self) -> FixSession:
        sender, clock = secrets.token_hex(COMP_ID_BYTES), SystemClock()
        return Initiator(
            sender,
            self._logon.target,
            MemoryStore(keeps=False),
            clock.monotonic(),
            clock.now_ns(),
            heartbeat_s=self._logon.heartbeat_s,
            reset=True,
            credentials=lambda number, time: self._logon.fields(self._key, sender, number, time),
            rules=self._rules,
        )


class _TunnelError(Exception):
    """A proxy does not let us through."""


async def _tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    from python_socks import ProxyError as Refused  # noqa: PLC0415 - of an extra
    from python_socks.async_.asyncio import Proxy as Tunnel  # noqa: PLC0415

    url = proxy.url.replace("socks5h:", "socks5:")
    try:
        return await Tunnel.from_url(url, rdns=True).connect(host, port, timeout=OPEN_TIMEOUT_S)
    except Refused as error:
        raise _TunnelError(str(error)) from None


class _LogonError(Exception):
    """A connection ended before it was logged on."""

    def __init__(self, said: str, reason: str) -> None:
        super().__init__(said, reason)
        self._said = said
        self._reason = reason

    def told(self, url: str) -> TransportError:
        if self._said:
            return LogonRefusedError(f"{url} refuses our logon: {self._said}")
        return VenueProtocolError(f"{url} does not answer our logon: {self._reason}")


class _FixLine(FixConnection):
    """Tells its application after each read, too: a session may be over without an event."""

    def __init__(self, stream: _FixStream, clock: SystemClock) -> None:
        super().__init__(stream, clock)
        self._stream = stream

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        self._stream.on_read()


class _FixStream:
    """One session as the layers above see it: a `Connection`, and the application of the line."""

    def __init__(self, new_session: Callable[[], FixSession]) -> None:
        self._new_session = new_session
        self._line: FixConnection
        self._inbox = Inbox()
        self._said = ""
        """Why the venue refuses our Logon, in its words."""
        self._sent: dict[int, bytes] = {}
        self._tests: dict[bytes, Callable[[], None]] = {}
        self._writable = asyncio.Event()
        self._lost = asyncio.Event()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when we are logged on; fails with `_LogonError` where that is not to be."""
        self.receive, self.stream = self._inbox.receive, self._inbox.stream

    # What the line tells.

    def on_connected(self, connection: FixConnection) -> FixSession:
        self._line = connection
        return self._new_session()

    def on_event(self, event: FixEvent) -> None:
        match event:
            case Received(message):
                self._inbox.put((message.frame,))
            case Answered(test_id):
                if answered := self._tests.pop(test_id, None):
                    answered()
            case LoggedOn() if not self.opened.done():
                self.opened.set_result(None)
            case Rejected(reject) if self.opened.done():
                number = reject.get(45) or b""
                refused = self._sent.get(int(number) if number.isdigit() else 0, b"")
                self._inbox.put((reject.frame + refused,))
            case Rejected(reject):
                self._said = (reject.get(58) or b"no reason is given").decode(errors="replace")
            case LoggedOut(text):
                self._said = self._said or text

    def on_read(self) -> None:
        """Take note that all of a read was taken: what is over hands on nothing more."""
        if self._line.session.state not in {SessionState.LOGON_SENT, SessionState.ACTIVE}:
            self._end()

    def on_writable(self) -> None:
        self._writable.set()

    def on_lost(self) -> None:
        self._end()
        self._lost.set()
        self._writable.set()

    def _end(self) -> None:
        reason = self._line.session.reason
        if not self.opened.done():
            self.opened.set_exception(_LogonError(self._said, reason))
        self._inbox.end(ClosedError(f"the FIX session is over: {reason}"))

    # What the layers above ask.

    async def send(self, text: str) -> None:
        kind, _, body = text.encode().removeprefix(b"35=").partition(b"\x01")
        try:
            number = self._line.send(kind, body)
        except NotLoggedOnError as error:
            raise ClosedError(f"the FIX session is over: {error}") from None
        self._sent[number] = text.encode()
        if len(self._sent) > MOST_SENT:
            del self._sent[next(iter(self._sent))]
        while not self._line.can_write and not self._lost.is_set():
            self._writable.clear()
            await self._writable.wait()

    async def ping(self, on_answer: Callable[[], None]) -> None:
        test_id = secrets.token_hex(COMP_ID_BYTES).encode()
        try:
            self._line.test(test_id)
        except NotLoggedOnError as error:
            raise ClosedError(f"the FIX session is over: {error}") from None
        self._tests[test_id] = on_answer
        if len(self._tests) > MOST_SENT:
            del self._tests[next(iter(self._tests))]

    async def close(self) -> None:
        self._line.leave("")
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._lost.wait()
        self.abort()

    def abort(self) -> None:
        """Close without waiting for anybody."""
        if not self._lost.is_set():
            self._line.end("given up")
            self._line.transport.abort()
        if self.opened.done() and not self.opened.cancelled():
            self.opened.exception()  # somebody knows


def _unreachable(url: str, error: OSError) -> TransportError:
    if isinstance(error, TimeoutError):
        return UnreachableError(f"{url} did not answer within {OPEN_TIMEOUT_S:g} s")
    if isinstance(error, ssl.SSLError):
        return VenueProtocolError(f"{url} does not speak TLS: {plain(error)}")
    if isinstance(error, ConnectionResetError):
        return UnreachableError(f"{url} hung up before it answered")
    return UnreachableError(f"{url} cannot be reached: {plain(error)}")
