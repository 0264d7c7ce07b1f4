"""The bot's half of a session: what it subscribes to and acknowledges."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Self

import grpc
import grpc.aio
from dragonfly_protos import market_data_pb2 as pb

from dragonfly_client._liveness import StreamLiveness
from dragonfly_client.errors import ClientError, UnavailableError

__all__ = ["Requests", "UntilListed"]

UntilListed = Callable[[], Coroutine[None, None, None]]
"""Waits until the gateway serves an instrument that it refused."""

SIGN_OF_LIFE_S: Final = 0.5
"""The gateway ends a session whose bot is silent for 20 s, or less, while updates are in flight."""


class Requests:
    """Writes one request at a time, and keeps a bot that works for long from being taken for dead.

    While the bot works on an update, the acknowledgement of the one before is repeated: it opens
    the window no further, but shows that this process runs. A process that stands still shows
    nothing, and is cut.
    """

    def __init__(
        self, call: grpc.aio.StreamStreamCall, window: int | None, liveness: StreamLiveness
    ) -> None:
        self._call = call
        self._window = window
        self._acknowledged = 0
        self._liveness = liveness
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        # Also where a bot keeps a stream of a client that was closed, and never comes back.
        self._call.add_done_callback(lambda _: self._end())
        if self._window is not None:
            self._begin(self._show_signs_of_life())
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def _begin(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def begin(self, subscriptions: Sequence[pb.Subscription]) -> None:
        """Open the window, then subscribe: nothing is sent before it counts."""
        if self._window is not None:
            await self._write(pb.SessionRequest(ack=0, window=self._window))
        for subscription in subscriptions:
            await self._write(pb.SessionRequest(subscribe=subscription))

    def subscribe_after(self, until_listed: UntilListed, subscription: pb.Subscription) -> None:
        """Subscribe when `until_listed` has ended."""

        async def subscribe() -> None:
            await until_listed()
            with contextlib.suppress(ClientError, grpc.aio.AioRpcError):
                await self._write(pb.SessionRequest(subscribe=subscription))

        self._begin(subscribe())

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
