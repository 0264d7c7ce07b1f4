"""Cuts off who floods a publisher while that itself can do nothing.

ZeroMQ takes subscriptions in whatever thread next calls it, and does not return while more come
than it can take: twenty connections held a publisher for a minute and filled gigabytes. So another
thread looks whether a publisher is overdue with its beat, and hangs up on the connections that
have sent most since, once together they sent more than all subscriptions that may be.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
import time
from contextlib import suppress
from typing import Final, Protocol

import structlog

from dragonfly_common import counters
from dragonfly_common.bus.connections import hang_up

__all__ = ["post", "release"]

LOOK_INTERVAL_S: Final = 0.05
OVERDUE_S: Final = 0.05
MOST_BYTES: Final = 1 << 20
"""All that its connections may send to a publisher while that is overdue."""

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_BYTES_RECEIVED: Final = struct.Struct("=128xQ")
"""Where Linux's `struct tcp_info` says how much has come."""

logger = structlog.get_logger()


class Guarded(Protocol):
    """A publisher."""

    @property
    def address(self) -> str: ...

    @property
    def overdue_s(self) -> float:
        """How much later it is than when its last beat was due."""
        ...


Connection = tuple[int, int]
"""A descriptor, and the number of its file, by which it is told from one that comes later."""

_guarded: Final[dict[Guarded, dict[Connection, int]]] = {}
"""Each publisher, and what had come to it when it was first seen overdue."""
_lock: Final = threading.Lock()
_watching: Final = threading.Event()


def post(publisher: Guarded) -> None:
    """Watch over `publisher`, where the system tells how much each connection sent."""
    if not hasattr(socket, "TCP_INFO"):
        return
    with _lock:
        _guarded[publisher] = {}
        if not _watching.is_set():
            _watching.set()
            threading.Thread(target=_watch, name="sentry", daemon=True).start()


def release(publisher: Guarded) -> None:
    """Watch over `publisher` no longer."""
    with _lock:
        _guarded.pop(publisher, None)


def _watch() -> None:
    while True:
        time.sleep(LOOK_INTERVAL_S)
        with _lock:
            if not _guarded:
                _watching.clear()
                return
            for publisher, before in _guarded.items():
                if publisher.overdue_s < OVERDUE_S:
                    before.clear()
                    continue
                with suppress(RuntimeError):  # its addresses are just changing
                    _look(publisher, before)


def _look(publisher: Guarded, before: dict[Connection, int]) -> None:
    now = _received(publisher.address)
    if not before:
        before.update(now)
    sent = {one: received - before.get(one, 0) for one, received in now.items()}
    if sum(sent.values()) <= MOST_BYTES:
        return
    average = sum(sent.values()) / len(sent)
    most = [one for one, size in sent.items() if size >= average]
    for descriptor, inode in most:
        hang_up(descriptor, inode)
    counters.BUS_CUT_OFF.labels("flood").inc(len(most))
    logger.warning("subscribers cut off", connections=len(most), reason="flood")
    before.clear()


def _received(address: str) -> dict[Connection, int]:
    """Return how many bytes each connection that was accepted at `address` has received."""
    ports = {int(one.rpartition(":")[2]) for one in address.split() if one[-1].isdecimal()}
    found: dict[Connection, int] = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):
            file = os.fstat(int(name))
            if stat.S_ISSOCK(file.st_mode):
                with socket.socket(fileno=os.dup(int(name))) as copy:
                    copy.getpeername()  # raises for what listens
                    if copy.family in _FAMILIES and copy.getsockname()[1] in ports:
                        told = copy.getsockopt(
                            socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.size
                        )
                        (found[int(name), file.st_ino],) = _BYTES_RECEIVED.unpack(told)
    return found
