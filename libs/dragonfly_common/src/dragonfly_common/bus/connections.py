"""Which connections of a publisher were let in by which key, so that they can be cut.

ZeroMQ says which connections there are, by their file descriptors, and which key it lets in from
which address, but not which of the two belong together. From one address they nearly always come
one by one. Where they do not, a connection may answer for a neighbour's key too: never for less
than its own.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import zmq

__all__ = ["EVENTS", "Connections", "hang_up", "inode_of"]

EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
"""The events to monitor."""


class Connections:
    """The connections of one publisher's socket."""

    def __init__(self) -> None:
        self._admitted: deque[tuple[str, bytes]] = deque()
        self._peers: dict[int, str] = {}
        self._keys: dict[int, set[bytes]] = {}

    def admit(self, peer: str, key: bytes) -> None:
        """Note that a connection from the IP address `peer` was let in. Safe in any thread."""
        self._admitted.append((peer, key))

    def hear(self, kind: int, descriptor: int) -> None:
        """Note what the socket's monitor says."""
        if kind == zmq.EVENT_DISCONNECTED:
            self._peers.pop(descriptor, None)
            self._keys.pop(descriptor, None)
        elif kind == zmq.EVENT_ACCEPTED and (peer := _peer(descriptor)):
            self._peers[descriptor] = peer
            self._keys[descriptor] = set()

    def match(self) -> bool:
        """Put together who was admitted and what was accepted since; say whether anybody was.

        All that the monitor said must have been heard: whoever is admitted was accepted before.
        """
        if not self._admitted:
            return False
        fresh = {descriptor for descriptor, keys in self._keys.items() if not keys}
        for _ in range(len(self._admitted)):
            peer, key = self._admitted.popleft()
            here = {descriptor for descriptor, at in self._peers.items() if at == peer}
            for descriptor in here & fresh or here:
                self._keys[descriptor].add(key)
        return True

    def cut(self, refused: Callable[[bytes], object]) -> int:
        """End the connections of keys that are `refused` now; return how many that were."""
        ended = [found for found, keys in self._keys.items() if any(map(refused, keys))]
        for descriptor in ended:
            self._shut_down(descriptor)
        return len(ended)

    def _shut_down(self, descriptor: int) -> None:
        # The descriptor is ZeroMQ's, which sees the end of the stream and closes it. Should it
        # just have done so, the number may be another connection's by now.
        if _peer(descriptor) == self._peers[descriptor]:
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
                copy.shutdown(socket.SHUT_RDWR)
        self.hear(zmq.EVENT_DISCONNECTED, descriptor)


def inode_of(descriptor: int) -> int | None:
    """Return the number of the descriptor's file: the descriptor may be another's in a moment."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None


def hang_up(descriptor: int, inode: int) -> None:
    """End a connection of ZeroMQ's, which sees that and forgets its subscriptions."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        if inode_of(copy.fileno()) == inode:
            copy.shutdown(socket.SHUT_RDWR)


def _peer(descriptor: int) -> str | None:
    """Return the IP address at the other end, None if there is no connection any more."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            return str(copy.getpeername()[0])
    except (OSError, IndexError):
        return None
