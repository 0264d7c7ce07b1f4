"""The standard health service: SERVING only while there is live data.

The library's own servicer watches without bound and answers what it cannot parse with a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from dragonfly_views.condition import Condition
from dragonfly_views.refusals import LONGEST_QUOTED, CallRefusedError, RefusalCode
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2

from grpc_gateway import counters
from grpc_gateway.context import Context

__all__ = ["Health"]

_Response: Final = health_pb2.HealthCheckResponse


def _encode(status: str) -> bytes:
    encoded: bytes = _Response(status=status).SerializeToString()
    return encoded


_UNKNOWN: Final = _encode("SERVICE_UNKNOWN")
_SERVING: Final = _encode("SERVING")
_NOT_SERVING: Final = _encode("NOT_SERVING")

logger = structlog.get_logger()


class Health:
    """One status for the whole gateway, told under the empty name and each service's own."""

    service: Final[ServiceDescriptor] = health_pb2.DESCRIPTOR.services_by_name["Health"]

    def __init__(self, services: Iterable[str], most_watches: int) -> None:
        self._names = {"", *services}
        self._most_watches = most_watches
        self._watches = 0
        self._live = False
        self._shut_down = False
        self._changed = Condition()

    def note(self, *, live: bool) -> None:
        """Say whether any venue is live by the word of an aggregator that is there."""
        if live != self._live:
            self._live = live
            counters.SERVING.set(live)
            logger.info("health changed", serving=live)
            self._changed.notify()

    def shut_down(self) -> None:
        """Say NOT_SERVING for good."""
        self._shut_down = True
        self._changed.notify()

    async def check(self, request: Any, context: Context, caller: object) -> bytes:
        status = self._status(request.service)
        if status == _UNKNOWN:
            known = ", ".join(sorted(self._names)).lstrip(", ")
            shown = request.service[:LONGEST_QUOTED]
            raise CallRefusedError(
                RefusalCode.NOT_FOUND, f"no service {shown!r}: there are {known}"
            )
        return status

    async def list(self, request: Any, context: Context, caller: object) -> bytes:
        statuses = {name: _Response.FromString(self._status(name)) for name in self._names}
        listed: bytes = health_pb2.HealthListResponse(statuses=statuses).SerializeToString()
        return listed

    async def watch(self, request: Any, context: Context, caller: object) -> None:
        with self._watching():
            told = b""

            def changed() -> bool:
                return self._status(request.service) != told

            while True:
                await self._changed.until(changed)
                told = self._status(request.service)
                await context.write(told)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        if self._watches >= self._most_watches:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"health is watched {self._watches} times at this gateway, which is the limit:"
                " call Check",
            )
        self._watches += 1
        try:
            yield
        finally:
            self._watches -= 1

    def _status(self, name: str) -> bytes:
        if name not in self._names:
            return _UNKNOWN
        return _SERVING if self._live and not self._shut_down else _NOT_SERVING
