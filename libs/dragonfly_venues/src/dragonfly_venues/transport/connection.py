"""A connection, as every protocol's client offers it; the layers above know nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

__all__ = ["Connection", "VenueClient"]


class Connection(Protocol):
    """An open connection to a venue."""

    async def send(self, text: str) -> None:
        """Send one frame.

        Raises:
            ClosedError: the connection is over.
        """
        ...

    async def receive(self) -> bytes:
        """Return the next message. Cancelling loses nothing.

        Raises:
            ClosedError: the connection is over.
        """
        ...

    async def stream(self, take: Callable[[Sequence[bytes]], None]) -> NoReturn:
        """Call `take` with the messages from the next one on, with all that arrived at once.

        Raises:
            ClosedError: the connection is over.
            Exception: what `take` raised; nothing is taken after it.
        """
        ...

    async def ping(self, on_answer: Callable[[], None]) -> None:
        """Ask the other end for a sign of life, below what the venue's protocol says.

        The answer comes after all that the venue had sent before it read the ping.

        Raises:
            ClosedError: the connection is over.
        """
        ...

    async def close(self) -> None:
        """Close within a bounded time, whatever the other end does."""
        ...


class VenueClient(Protocol):
    """Opens connections to one kind of URL."""

    async def connect(self, url: str) -> Connection:
        """Open a connection.

        Raises:
            TransportError: it could not be; the error says how soon to try again.
        """
        ...
