"""WebSocket. The only module that imports websockets."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import ssl
from collections.abc import Callable
from email import message_from_bytes
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidMessage,
    InvalidProxyStatus,
    InvalidStatus,
    WebSocketException,
)
from websockets.exceptions import ProxyError as WebSocketProxyError
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

from dragonfly_venues.transport.connection import Connection
from dragonfly_venues.transport.errors import (
    ClosedError,
    ProxyError,
    RejectedError,
    TransportError,
    UnreachableError,
    VenueProtocolError,
    plain,
)
from dragonfly_venues.transport.framing import Framing
from dragonfly_venues.transport.inbox import Inbox
from dragonfly_venues.transport.proxies import proxy_of
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust

__all__ = ["WebSocketClient"]

OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 0.5
HEAD_END: Final = b"\r\n\r\n"
QUIET: Final = logging.getLogger("dragonfly_venues.websockets")
"""For the library: at its level DEBUG it would write down whole frames, with keys and tokens."""
QUIET.setLevel(logging.WARNING)
STATUS: Final = re.compile(rb"HTTP/1\.\d (\d{3})\b")


class WebSocketClient:
    """Opens WebSocket connections, encrypted ones verified."""

    def __init__(
        self,
        *,
        trust: Trust,
        max_frame_bytes: int,
        compression: bool,
        standing: Standing,
    ) -> None:
        self._trust = trust
        self._standing = standing
        self._max_frame_bytes = max_frame_bytes
        self._compression = "deflate" if compression else None

    async def connect(self, url: str) -> Connection:
        """Open a connection.

        Raises:
            TransportError: it could not be; the error says how soon to try again.
        """
        made: list[_Direct] = []

        def make(*arguments: Any, **options: Any) -> _Direct:
            made.append(_Direct(*arguments, max_frame_bytes=self._max_frame_bytes, **options))
            return made[-1]

        with self._standing.attempt(url):
            proxy = proxy_of(url, os.environ)
            # A query may hold a token, which is nobody else's, and another each time.
            said = url.partition("?")[0]
            said += f" through {proxy.told}" if proxy else ""
            options: dict[str, Any] = {}
            if proxy is not None and proxy.encrypted:
                options["proxy_ssl"] = self._trust.proxies
            encrypted = urlsplit(url).scheme == "wss"

            async def open_by(tls: ssl.SSLContext) -> _WebSocket:
                return _WebSocket(
                    await _Connect(
                        url,
                        ssl=tls if encrypted else None,
                        proxy=proxy.url if proxy else None,
                        compression=self._compression,
                        open_timeout=OPEN_TIMEOUT_S,
                        close_timeout=CLOSE_TIMEOUT_S,
                        # Liveness is judged by the session, by the venue's own rule.
                        ping_interval=None,
                        max_size=self._max_frame_bytes,
                        logger=QUIET,
                        create_connection=make,  # type: ignore[arg-type] # any callable will do
                        **options,
                    )
                )

            try:
                return await self._trust.verify(said, open_by)
            except (OSError, WebSocketException, EOFError) as error:
                now_s = self._standing.now_s
                failure = _failure(said, error, now_s)
                if made and not isinstance(failure, RejectedError):
                    failure = made[-1].rejection(said, now_s) or failure
                raise failure from error


class _Connect(connect):
    """Follows no redirect: whoever answers would choose where else we connect to."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _Direct(ClientConnection):
    """Hands each message on as it arrives.

    A message in one frame, as almost all are, never meets the library, which takes thirty calls to
    read it and a switch of tasks to hand it on. Everything else does: the reply to the handshake,
    control frames, fragments, what is compressed, what no server may send.
    """

    def __init__(self, *arguments: Any, max_frame_bytes: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.inbox = Inbox()
        self._framing = Framing(max_frame_bytes)
        self._head = bytearray()
        """Of the reply to the handshake."""
        self._open = False
        """Whether messages may come: from the handshake until the library has read of an end."""
        self._message: bytearray | None = None
        """The frames so far of a message in several."""
        self._arrived: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        if not self._open:
            while data and self.protocol.state is State.CONNECTING:
                data = self._read_reply(data)
            self._open = self.protocol.state is State.OPEN
        for frame, begin in self._framing.cut(data):
            if begin and self._message is None and self._open:
                self._arrived.append(frame[begin:])
            else:
                super().data_received(frame)
                self._open = self.protocol.state is State.OPEN
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            self.inbox.put(arrived)

    def _read_reply(self, data: bytes) -> bytes:
        """Read one line of the reply to the handshake, and return what is behind it.

        The head ends with an empty line: frames follow it, or what is said of a refusal.
        """
        if self._head.endswith(HEAD_END):
            super().data_received(data)
            return b""
        end = data.find(b"\n") + 1 or len(data)
        self._head += data[:end]
        super().data_received(data[:end])
        return data[end:]

    def rejection(self, url: str, now_s: float) -> RejectedError | None:
        """Return the refusal that the reply begins with, however much is missing of its body."""
        found = STATUS.match(self._head)
        if found is None or not self._head.endswith(HEAD_END) or found[1] == b"101":
            return None
        headers = message_from_bytes(self._head.partition(b"\n")[2])
        return RejectedError(url, int(found[1]), headers["Retry-After"], now_s=now_s)

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        if self._message is None:
            self._message = bytearray()
        self._message += event.data
        if event.fin:
            self._arrived.append(bytes(self._message))
            self._message = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.inbox.end(_closure(self.protocol.close_exc))


class _WebSocket:
    def __init__(self, connection: _Direct) -> None:
        self._connection = connection
        self.receive, self.stream = connection.inbox.receive, connection.inbox.stream

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise _closure(closed) from None

    async def ping(self, on_answer: Callable[[], None]) -> None:
        try:
            answer = await self._connection.ping()
        except ConnectionClosed as closed:
            raise _closure(closed) from None

        def answered(future: asyncio.Future[float]) -> None:
            if not future.cancelled() and future.exception() is None:
                on_answer()

        asyncio.ensure_future(answer).add_done_callback(answered)

    async def close(self) -> None:
        await self._connection.close()


def _failure(url: str, error: Exception, now_s: float) -> TransportError:
    if isinstance(error, InvalidStatus):
        response, headers = error.response, error.response.headers
        return RejectedError(
            url,
            response.status_code,
            next(iter(headers.get_all("Retry-After")), None),
            now_s=now_s,
            location=next(iter(headers.get_all("Location")), None),
            body=bytes(response.body),
        )
    if isinstance(error, WebSocketProxyError):
        return ProxyError(f"{url} cannot be reached: {_proxy_trouble(error)}")
    if why := _why_unreachable(error):
        return UnreachableError(f"{url} {why}")
    return VenueProtocolError(f"{url} does not speak WebSocket: {plain(error)}")


def _proxy_trouble(error: WebSocketProxyError) -> str:
    if isinstance(error, InvalidProxyStatus):
        return f"it answers: {error.response.status_code} {error.response.reason_phrase}"
    return plain(error.__cause__ or error)


def _why_unreachable(error: Exception) -> str | None:
    if isinstance(error, TimeoutError):
        return f"did not answer within {OPEN_TIMEOUT_S:g} s"
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return "hung up before it answered"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return f"cannot be reached: {plain(error)}"
    return None


def _closure(closed: ConnectionClosed) -> ClosedError:
    sent, received = closed.sent, closed.rcvd
    if received is not None and (sent is None or closed.rcvd_then_sent):
        why = f": {received.reason}" if received.reason else ""
        return ClosedError(f"the venue closed the connection with code {received.code}{why}")
    if sent is not None:
        why = f": {sent.reason}" if sent.reason else ""
        return ClosedError(f"the connection was closed with code {sent.code}{why}")
    return ClosedError("the connection was cut")
