"""The TCP connections of bots, of which gRPC tells nothing until they make a call.

They are found among this process's own descriptors. Two things are done to them:

- Little waits in the kernel for a line that is slower than the market: a book that was not sent yet
  is better replaced by a newer one.
- A connection that has not made an admitted call is a stranger. Of one address few strangers are
  kept, and those that make no call at all not for long, so that nobody takes the bots' places by
  connecting.
"""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import structlog
from dragonfly_common.pace import SayOnce
from dragonfly_views.places import network_of, normal_address

from grpc_gateway import counters

__all__ = ["CALL_WITHIN_S", "GRACE_S", "MOST_STRANGERS", "Connections", "bound_unsent"]

MOST_UNSENT_BYTES: Final = 4096
"""Of a connection, in the kernel: a few books of ten levels."""
CALL_WITHIN_S: Final = 10.0
"""A connection that has made no call by then is closed."""
MOST_STRANGERS: Final = 16
"""Of one address; of IPv6, of one network of 64 bits."""
GRACE_S: Final = 2.0
"""A younger connection is no stranger yet: many bots may come at once, by one balancer."""
LOOK_INTERVAL_S: Final = 0.5
SAY_AGAIN_AFTER_S: Final = 10.0

_DESCRIPTORS: Final = "/dev/fd"

logger = structlog.get_logger()

_Peer = tuple[str, int]


@dataclass
class _Stranger:
    peer: _Peer
    since: float
    called: bool = False


class Connections:
    """Tells bots from strangers, and closes the strangers beyond their bounds."""

    def __init__(self) -> None:
        self.port: int | None = None
        """The gateway's own; nothing is looked for without it."""
        self._admitted: set[_Peer] = set()
        self._called: set[_Peer] = set()
        self._known: dict[int, int] = {}
        """Descriptor → inode of what needs no more looking at: bots, and what is no connection."""
        self._strangers: dict[tuple[int, int], _Stranger] = {}
        self._next_look = 0.0
        self._unsaid = 0
        self._once = SayOnce(SAY_AGAIN_AFTER_S)

    def admitted(self, peer: str) -> None:
        """Take note that the connection `peer`, in gRPC's words, makes a call that is admitted."""
        if self.port is not None:
            self._admitted.add(_parse_peer(peer))

    def called(self, peer: str) -> None:
        """Take note that the connection `peer` makes a call that needs no admission."""
        if self.port is not None:
            self._called.add(_parse_peer(peer))

    def look(self, now: float) -> None:
        """Close the strangers beyond their bounds. Call it several times a second."""
        if self.port is None or now < self._next_look:
            return
        self._next_look = now + LOOK_INTERVAL_S
        self._find_strangers(self.port, now)
        for number, inode in [*self._excess(now)]:
            del self._strangers[number, inode]
            if _close(number, inode):
                self._known[number] = inode
                counters.STRANGERS_CLOSED.inc()
                self._unsaid += 1
        if self._unsaid and self._once.due(now):
            logger.warning(
                "connections closed",
                count=self._unsaid,
                reason="they made no call that was admitted",
            )
            self._unsaid = 0

    def _find_strangers(self, port: int, now: float) -> None:
        known, strangers = {}, {}
        for number, inode in _descriptors():
            if self._known.get(number) == inode:
                known[number] = inode
                continue
            stranger = self._strangers.get((number, inode))
            if stranger is None:
                peer = _peer_of(number, port)
                stranger = peer and _Stranger(peer, now)
            if stranger is None or stranger.peer in self._admitted:
                known[number] = inode
            else:
                stranger.called |= stranger.peer in self._called
                strangers[number, inode] = stranger
        self._known, self._strangers = known, strangers
        # A call is noted while its connection is open: whoever was not found has gone.
        self._admitted.clear()
        self._called.clear()

    def _excess(self, now: float) -> Iterator[tuple[int, int]]:
        of_address: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        by_age = sorted(self._strangers.items(), key=lambda item: item[1].since)
        for key, stranger in by_age:
            if not stranger.called and now - stranger.since > CALL_WITHIN_S:
                yield key
            elif now - stranger.since > GRACE_S:
                of_address[network_of(stranger.peer[0])].append(key)
        for keys in of_address.values():
            yield from keys[: max(0, len(keys) - MOST_STRANGERS)]


def bound_unsent(port: int) -> None:
    """Bound what waits in the kernel of every connection that will come in at `port`."""
    for number, _ in _descriptors():
        with _opened(number) as end:
            if end is not None and _port(end) == port:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)


def _close(number: int, inode: int) -> bool:
    """Shut a connection down; gRPC sees its end, as if the peer had closed it."""
    with _opened(number) as end:
        if end is None or os.fstat(end.fileno()).st_ino != inode:
            return False  # closed meanwhile, the number is another's
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        return True


def _descriptors() -> Iterator[tuple[int, int]]:
    """Return this process's descriptors, each with the inode that tells it from a later one."""
    with suppress(OSError), os.scandir(_DESCRIPTORS) as entries:
        for number in [int(entry.name) for entry in entries]:
            with suppress(OSError):
                yield number, os.fstat(number).st_ino


@contextmanager
def _opened(number: int) -> Iterator[socket.socket | None]:
    """Open a descriptor once more as a socket, None if it is none."""
    try:
        own = os.dup(number)
    except OSError:
        yield None
        return
    try:
        end = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        yield None
        return
    with end:
        yield end


def _port(end: socket.socket) -> int | None:
    """Return the own port of a TCP socket."""
    if end.family not in (socket.AF_INET, socket.AF_INET6) or end.type != socket.SOCK_STREAM:
        return None
    with suppress(OSError):
        port: int = end.getsockname()[1]
        return port
    return None


def _peer_of(number: int, port: int) -> _Peer | None:
    """Return who is connected to our `port` by a descriptor, None if it is no such connection."""
    with _opened(number) as end:
        if end is None or _port(end) != port:
            return None
        with suppress(OSError):
            address, peer_port, *_ = end.getpeername()
            return normal_address(address), peer_port
    return None


def _parse_peer(peer: str) -> _Peer:
    """Return the address and port of gRPC's `ipv4:127.0.0.1:40000` or `ipv6:%5B::1%5D:40000`."""
    address, _, port = unquote(peer).partition(":")[2].rpartition(":")
    return normal_address(address.strip("[]")), int(port)
