"""Single requests, on one connection that is opened again when it cannot be had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import grpc
import grpc.aio
from google.protobuf.message import Message

from dragonfly_client._backoff import GatewayBackoff
from dragonfly_client._channel import Connector, GatewayConnection
from dragonfly_client._follow import consumer_cancelled
from dragonfly_client.errors import (
    CertificateError,
    ClientError,
    RefusedError,
    UnavailableError,
    UnknownOutcomeError,
    error_of_status,
)

__all__ = ["Gets"]

UNREACHED: Final = ("failed to connect", "errors resolving")
"""How gRPC begins to say that a request never left."""
NOT_ASKED: Final = "the execution engine is not there"
"""How a gateway begins to say that it passed a request on to nobody."""
COMMAND_TIMEOUT_S: Final = 12.0
"""Of what changes something: the gateway itself says after 10 s that it does not know."""


class Gets:
    """Asks the gateway once, and waits for one to be there."""

    def __init__(self, connector: Connector, timeout_s: float, random: Callable[[], float]) -> None:
        self._connector = connector
        self._timeout_s = timeout_s
        self._random = random
        self._connection: GatewayConnection | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def ask(self, method: str, request: Message) -> bytes:
        """Return the encoded reply.

        Raises:
            ClientError: the gateway refused, cannot be trusted, or was not reached in time.
        """
        return await self._ask(method, request, self._timeout_s)

    async def command(self, method: str, request: Message) -> bytes:
        """Return the encoded reply to what changes something: it is sent once.

        Raises:
            UnknownOutcomeError: it may have been carried out, or not.
            ClientError: as `ask`; it was not carried out.
        """
        try:
            return await self._ask(method, request, COMMAND_TIMEOUT_S, changes=True)
        except grpc.aio.AioRpcError as status:
            raise UnknownOutcomeError(
                f"{self._connector.place}: {status.details() or status.code().name}"
            ) from None

    async def _ask(
        self, method: str, request: Message, timeout_s: float, *, changes: bool = False
    ) -> bytes:
        """Return the encoded reply.

        Raises:
            AioRpcError: the request left, `changes` something, and no outcome is known.
            ClientError: the gateway refused, cannot be trusted, or was not reached in time.
        """
        backoff = GatewayBackoff(self._random)
        deadline = time.monotonic() + timeout_s
        last: UnavailableError | None = None
        while (left_s := deadline - time.monotonic()) > 0:
            if self._connection is None:
                self._connection = self._connector.open()
            connection = self._connection
            try:
                payload: bytes = await connection.ask(method, request, left_s)
            except grpc.aio.AioRpcError as status:
                if changes and _is_in_doubt(status):
                    raise
                if status.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    break
                error = error_of_status(status.code(), status.details())
                if isinstance(error, CertificateError) or not isinstance(error, UnavailableError):
                    raise error from None
                if not _is_unreached(status):
                    raise UnavailableError(f"{self._connector.place}: {error}") from None
                last = error
                self._retire(connection)
            except asyncio.CancelledError:
                if consumer_cancelled():
                    raise
                raise ClientError("this client was closed meanwhile") from None
            else:
                return payload
            await asyncio.sleep(min(backoff.next_s(), max(0.0, deadline - time.monotonic())))
        why = f" ({last})" if last else ""
        raise UnavailableError(f"no gateway at {self._connector.place} within {timeout_s:g} s{why}")

    async def aclose(self) -> None:
        """Wait no longer for what is being asked on connections that were given up."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _retire(self, connection: GatewayConnection) -> None:
        """Let the next request open a connection anew, with the certificate of that day."""
        if connection is not self._connection:
            return
        closing = asyncio.create_task(connection.close(self._timeout_s))
        self._connection = None
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def _is_unreached(status: grpc.aio.AioRpcError) -> bool:
    """Say whether the request never got to a gateway; only then may it be sent again."""
    unavailable = status.code() is grpc.StatusCode.UNAVAILABLE
    return unavailable and (status.details() or "").startswith(UNREACHED)


def _is_in_doubt(status: grpc.aio.AioRpcError) -> bool:
    """Say whether a request that got to a gateway may have been carried out."""
    if _is_unreached(status) or (status.details() or "").startswith(NOT_ASKED):
        return False
    # All others than a refusal, a lost line and a deadline among them.
    return not isinstance(error_of_status(status.code(), status.details()), RefusedError)
