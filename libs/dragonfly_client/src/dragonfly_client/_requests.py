"""The bot's half of a session: what it subscribes to and acknowledges."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Self

import grpc
import grpc.aio
from dragonfly_protos import market_data_pb2 as pb

from dragonfly_client._liveness import Liveness
from dragonfly_client.errors import ClientError, UnavailableError

__all__ = ["Requests"]

SIGN_OF_LIFE_S: Final = 0.5
"""The gateway ends a session whose bot is silent for 20 s, or less, while updates are in flight."""


class Requests:
    """Writes one request at a time, and keeps a bot that works for long from being taken for dead.

    While the bot works on an update, the acknowledgement of the one before is repeated: it opens
    the window no further, but shows that this process runs. A process that stands still shows
    nothing, and is cut.
    """

    def __init__(
        self, call: grpc.aio.StreamStreamCall, window: int | None, liveness: Liveness
    ) -> None:
        self._call = call
        self._window = window
        self._acknowledged = 0
        self._liveness = liveness
        self._writing = asyncio.Lock()
        self._signs: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self._window is not None:
            signs = self._signs = asyncio.create_task(self._show_signs_of_life())
            # Also where a bot keeps a stream of a client that was closed, and never comes back.
            self._call.add_done_callback(lambda _: signs.cancel())
        return self

    def __exit__(self, *error: object) -> None:
        if self._signs is not None:
            self._signs.cancel()

    async def begin(self, subscriptions: Sequence[pb.Subscription]) -> None:
        """Open the window, then subscribe: nothing is sent before it counts."""
        if self._window is not None:
            await self._write(pb.SessionRequest(ack=0, window=self._window))
        for subscription in subscriptions:
            await self._write(pb.SessionRequest(subscribe=subscription))

    async def acknowledge(self, number: int) -> None:
        """Say that the update `number` has been processed."""
        self._acknowledged = number
        if self._window is not None:
            await self._write(pb.SessionRequest(ack=number))

    async def _show_signs_of_life(self) -> None:
        # When a write fails, the session's next read tells why.
        with contextlib.suppress(ClientError, grpc.aio.AioRpcError):
            while True:
                await asyncio.sleep(SIGN_OF_LIFE_S)
                if self._liveness.bot_works:
                    await self._write(pb.SessionRequest(ack=self._acknowledged))

    async def _write(self, request: pb.SessionRequest) -> None:
        async with self._writing:
            try:
                await self._call.write(request)
            except asyncio.InvalidStateError:
                pass  # The call has ended; the next read tells how.
            except grpc.aio.AioRpcError as status:
                if status.code() is not grpc.StatusCode.INTERNAL:
                    raise
                # grpc.aio lets a failed write hide the status that the gateway gave: to hear it,
                # ask again.
                raise UnavailableError("the session was cut") from None
