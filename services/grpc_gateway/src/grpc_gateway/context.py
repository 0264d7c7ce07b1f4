"""Types for what the gateway uses of gRPC, which ships none: a call's context, the statuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NoReturn, Protocol

from dragonfly_views.refusals import RefusalCode
from grpc import StatusCode

__all__ = ["STATUS", "Context"]

STATUS: Final[Mapping[RefusalCode, StatusCode]] = {
    RefusalCode.INVALID: StatusCode.INVALID_ARGUMENT,
    RefusalCode.NOT_FOUND: StatusCode.NOT_FOUND,
    RefusalCode.DUPLICATE: StatusCode.ALREADY_EXISTS,
    RefusalCode.OVER_LIMIT: StatusCode.RESOURCE_EXHAUSTED,
    RefusalCode.UNKNOWN_CALLER: StatusCode.UNAUTHENTICATED,
    RefusalCode.UNAVAILABLE: StatusCode.UNAVAILABLE,
    RefusalCode.OVERDUE: StatusCode.DEADLINE_EXCEEDED,
    RefusalCode.PRECONDITION: StatusCode.FAILED_PRECONDITION,
    RefusalCode.OUT_OF_RANGE: StatusCode.OUT_OF_RANGE,
    RefusalCode.UNKNOWN_OUTCOME: StatusCode.UNKNOWN,
    RefusalCode.STALLED: StatusCode.ABORTED,
}
"""How gRPC says that a caller is refused."""


class Context(Protocol):
    """One call of a bot."""

    def peer(self) -> str:
        """Return the connection that the call came by, for example `ipv4:127.0.0.1:40000`."""
        ...

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Return what the transport knows of the bot: of its certificate, where it has one."""
        ...

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...

    def time_remaining(self) -> float | None:
        """Return the seconds until the call's deadline, None where it has none."""
        ...

    async def read(self) -> object:
        """Return the next message's bytes; something else where no more will come."""
        ...

    async def write(self, message: bytes) -> None:
        """Send a message; waits while the transport is full because the bot does not read."""
        ...

    async def abort(self, code: StatusCode, details: str) -> NoReturn: ...
