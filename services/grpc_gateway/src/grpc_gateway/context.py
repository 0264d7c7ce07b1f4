"""What the gateway uses of a grpc.aio.ServicerContext, which ships no types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn, Protocol

from grpc import StatusCode

__all__ = ["Context"]


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
