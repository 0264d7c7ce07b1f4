"""Where a session's sequence numbers live, and the messages that it may have to send again.

A store outlives connections: it belongs to a pair of CompIDs. The session is its only writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["MemoryStore", "Store"]


class Store(Protocol):
    """The numbers and messages of one session."""

    @property
    def next_out(self) -> int:
        """The number of the next message that is sent."""

    @property
    def next_in(self) -> int:
        """The number of the next message that is expected."""

    def save(self, number: int, frame: bytes | None) -> None:
        """Use up an outbound number; returns when that will not be forgotten.

        `frame` is kept to be sent again; None of what a gap is filled in the place of.
        """

    def expect(self, number: int) -> None:
        """Note the number of the next message that is expected."""

    def frames(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Yield the kept (number, frame) from `first` to `last`, in order."""

    def reset(self) -> None:
        """Begin both numbers at 1, and keep nothing."""


class MemoryStore:
    """A store that ends with its process."""

    def __init__(self, *, keeps: bool = True) -> None:
        """Without `keeps` numbers alone are held: a request is answered by a gap fill.

        That is right for quotes, of which the next is newer, and wrong for orders.
        """
        self._keeps = keeps
        self.reset()

    def reset(self) -> None:
        self.next_out = self.next_in = 1
        self._frames: dict[int, bytes] = {}

    def save(self, number: int, frame: bytes | None) -> None:
        self.next_out = number + 1
        if self._keeps and frame is not None:
            self._frames[number] = frame

    def expect(self, number: int) -> None:
        self.next_in = number

    def frames(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for number in range(first, last + 1) if self._frames else ():
            frame = self._frames.get(number)
            if frame is not None:
                yield number, frame
