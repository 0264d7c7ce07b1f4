"""WebSocket. The only module that imports websockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)

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
# Frames that the library may hold before it stops reading: a burst, not a backlog.
QUEUE_FRAMES: Final = (256, 64)


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
                await connect(
                    url,
                    ssl=self._tls if urlsplit(url).scheme == "wss" else None,
                    compression=self._compression,
                    open_timeout=OPEN_TIMEOUT_S,
                    close_timeout=CLOSE_TIMEOUT_S,
                    # Liveness is judged by the session, by the venue's own rule.
                    ping_interval=None,
                    max_size=self._max_frame_bytes,
                    max_queue=QUEUE_FRAMES,
                )
            )
        except (OSError, WebSocketException, EOFError) as error:
            raise _failure(url, error) from error


class _WebSocket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise _closure(closed) from None

    async def receive(self) -> bytes:
        try:
            return await self._connection.recv(decode=False)
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
