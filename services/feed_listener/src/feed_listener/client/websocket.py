"""WebSocket. The only module that imports websockets."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

from feed_listener.client.connection import Connection
from feed_listener.client.errors import (
    CertificateError,
    ClientError,
    ClosedError,
    ProtocolError,
    RejectedError,
    UnreachableError,
)
from feed_listener.client.tls import certificate_sentence

__all__ = ["WebSocketClient"]

OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 0.5


class WebSocketClient:
    """Opens WebSocket connections, encrypted ones verified."""

    def __init__(self, *, tls: ssl.SSLContext, max_frame_bytes: int, compression: bool) -> None:
        self._tls = tls
        self._max_frame_bytes = max_frame_bytes
        self._compression = "deflate" if compression else None

    async def connect(self, url: str) -> Connection:
        """Open a connection.

        Raises:
            ClientError: it could not be; the error says how soon to try again.
        """
        try:
            return _WebSocket(
                await connect(  # type: ignore[arg-type] # `create_connection` says what it makes
                    url,
                    ssl=self._tls if urlsplit(url).scheme == "wss" else None,
                    compression=self._compression,
                    open_timeout=OPEN_TIMEOUT_S,
                    close_timeout=CLOSE_TIMEOUT_S,
                    # Liveness is judged by the session, by the venue's own rule.
                    ping_interval=None,
                    max_size=self._max_frame_bytes,
                    create_connection=_Direct,
                )
            )
        except (OSError, WebSocketException, EOFError) as error:
            raise _failure(url, error) from error


class _Direct(ClientConnection):
    """Hands each message on as it arrives: the library's queue costs a switch of tasks for each."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.inbox: deque[bytes] = deque()
        """What nobody took yet."""
        self.on_message: Callable[[bytes], object] = self.inbox.append
        self.on_news: Callable[[], object] = lambda: None
        """Called when a message was handed on, or the connection is over."""
        self._parts: list[bytes] = []

    @property
    def over(self) -> bool:
        return self.protocol.state is State.CLOSED

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
            return
        self._parts.append(bytes(event.data))
        if event.fin:
            message = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self.on_message(message)
            self.on_news()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.on_news()


class _WebSocket:
    def __init__(self, connection: _Direct) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise _closure(closed) from None

    async def receive(self) -> bytes:
        connection, news = self._connection, asyncio.Event()
        connection.on_news = news.set
        while not connection.inbox:
            if connection.over:
                raise _closure(connection.protocol.close_exc)
            news.clear()
            await news.wait()
        return connection.inbox.popleft()

    async def stream(self, take: Callable[[bytes], None]) -> NoReturn:
        connection = self._connection
        failed: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

        def deliver(message: bytes) -> None:
            if not failed.done():
                try:
                    take(message)
                except Exception as error:  # noqa: BLE001 - raised below
                    failed.set_exception(error)

        def look() -> None:
            if connection.over and not failed.done():
                failed.set_exception(_closure(connection.protocol.close_exc))

        while connection.inbox:
            deliver(connection.inbox.popleft())
        connection.on_message, connection.on_news = deliver, look
        look()
        await failed

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


def _failure(url: str, error: Exception) -> ClientError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError(certificate_sentence(url, error))
    if isinstance(error, InvalidStatus):
        response = error.response
        return RejectedError(url, response.status_code, response.headers.get("Retry-After"))
    if isinstance(error, TimeoutError):
        return UnreachableError(f"{url} did not answer within {OPEN_TIMEOUT_S:g} s")
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return UnreachableError(f"{url} hung up before it answered")
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return UnreachableError(f"{url} cannot be reached: {_plain(error)}")
    return ProtocolError(f"{url} does not speak WebSocket: {_plain(error)}")


def _closure(closed: ConnectionClosed) -> ClosedError:
    sent, received = closed.sent, closed.rcvd
    if received is not None and (sent is None or closed.rcvd_then_sent):
        why = f": {received.reason}" if received.reason else ""
        return ClosedError(f"the venue closed the connection with code {received.code}{why}")
    if sent is not None:
        why = f": {sent.reason}" if sent.reason else ""
        return ClosedError(f"the connection was closed with code {sent.code}{why}")
    return ClosedError("the connection was cut")


def _plain(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
