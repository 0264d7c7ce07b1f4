"""The standard health service: SERVING only while there is live data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from grpc_gateway import counters
from grpc_gateway.context import Context

__all__ = ["Health"]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

logger = structlog.get_logger()


class Health:
    """One status for the whole gateway, told under the empty name and each service's own."""

    def __init__(
        self, services: Iterable[str], on_call: Callable[[Context], None] = lambda _: None
    ) -> None:
        """`on_call` is told of each call."""
        self.servicer = _Servicer(on_call)
        self._names = ("", *services)
        self._live = False
        self._changed = asyncio.Event()
        self._changed.set()

    def note(self, *, live: bool) -> None:
        """Say whether any venue is live by the word of an aggregator that is there."""
        if live != self._live:
            self._live = live
            counters.SERVING.set(live)
            logger.info("health changed", serving=live)
            self._changed.set()

    async def follow(self) -> None:
        """Tell watchers of every change, beginning with the present; until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for name in self._names:
                await self.servicer.set(name, _SERVING if self._live else _NOT_SERVING)

    async def shut_down(self) -> None:
        """Say NOT_SERVING for good."""
        await self.servicer.enter_graceful_shutdown()


class _Servicer(aio.HealthServicer):  # type: ignore[misc]  # ships no types
    def __init__(self, on_call: Callable[[Context], None]) -> None:
        super().__init__()
        self._on_call = on_call

    async def Check(self, request: Any, context: Context) -> Any:  # noqa: N802 - the contract's
        self._on_call(context)
        return await super().Check(request, context)

    async def Watch(self, request: Any, context: Context) -> Any:  # noqa: N802 - the contract's
        self._on_call(context)
        return await super().Watch(request, context)
