"""Many sockets behind one file descriptor: which of them may have something."""

from __future__ import annotations

import select
from typing import Generic, TypeVar

import zmq

from dragonfly_common.bus.options import descriptor

__all__ = ["Bells"]

T = TypeVar("T")


class Bells(Generic[T]):
    """Each socket rings for its owner, from when something arrived until all of it is read.

    ZeroMQ's descriptors are edge-triggered: a socket that rang must be read until it has nothing
    more. What takes no reading, a subscription to pass on for example, leaves the bell as it is.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._owners: dict[int, T] = {}

    def add(self, socket: zmq.Socket[bytes], owner: T) -> None:
        number = descriptor(socket)
        self._owners[number] = owner
        self._epoll.register(number, select.EPOLLIN)

    def remove(self, socket: zmq.Socket[bytes]) -> None:
        """Forget a socket; before it is closed, for its descriptor's number is soon another's."""
        number = descriptor(socket)
        del self._owners[number]
        self._epoll.unregister(number)

    def rung(self) -> list[T]:
        """Return whose sockets ring."""
        if not self._owners:
            return []
        return [*{self._owners[number]: None for number, _ in self._epoll.poll(0)}]

    def fileno(self) -> int:
        """Return what becomes readable when one rings."""
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()
