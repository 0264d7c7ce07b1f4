"""The bound on what subscribers ask of a publisher; one that asks for more is cut off.

ZeroMQ keeps every subscription in a tree, some 50 bytes for each byte of a topic, before this
process hears of it. So a peer is cut off as soon as it has more than anybody needs, which frees
what it had: a peer's bound is what memory a connection can take. Whose a subscription is, ZeroMQ
says by the descriptor of its connection; with keys, it says by which one that was let in.

ZeroMQ takes subscriptions in whatever thread next calls it, and does not return while more come
than it can take: twenty connections held a publisher for a minute and filled gigabytes. So another
thread, the sentry, looks whether a publisher is overdue with its beat, and hangs up on the
connections that have sent most since, once together they sent more than all subscriptions that may
be.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog
import zmq

from dragonfly_common import counters
from dragonfly_common.clock import Clock
from dragonfly_common.pace import SayOnce

__all__ = ["Subscriptions", "post", "release"]

LONGEST_TOPIC_BYTES: Final = 192
"""`view.liquidity.` and the longest instrument in letters of three bytes take 138."""
MOST_OF_A_PEER: Final = 16_384
"""Every view of all 3,000 instruments that three venues list is 9,000."""
MOST_IN_ALL: Final = 65_536
MOST_MALFORMED: Final = 64
REPEAT_INTERVAL_S: Final = 10.0

LOOK_INTERVAL_S: Final = 0.05
OVERDUE_S: Final = 0.05
MOST_BYTES: Final = 1 << 20
"""All that its connections may send to a publisher while that is overdue."""

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_BYTES_RECEIVED: Final = struct.Struct("=128xQ")
"""Where Linux's `struct tcp_info` says how much has come."""

logger = structlog.get_logger()


class _Peer:
    """One connection."""

    def __init__(self, descriptor: int, inode: int, key: bytes) -> None:
        self.descriptor = descriptor
        self.inode = inode
        self.key = key
        """By which it was let in; empty where nobody has one."""
        self.topics: set[bytes] = set()
        self.malformed = 0
        self.cut = False

    @property
    def here(self) -> bool:
        return _inode_of(self.descriptor) == self.inode


class Subscriptions:
    """Those of one publisher's socket."""

    def __init__(self, clock: Clock, refusal: Callable[[bytes], str | None] | None = None) -> None:
        """`refusal` says why who came in by a key may not stay; without it nobody has one."""
        self._clock = clock
        self._key_refusal = refusal
        self._peers: dict[int, _Peer] = {}
        self._total = 0
        self._once = SayOnce(REPEAT_INTERVAL_S)

    def admit(self, frame: zmq.Frame) -> bool:
        """Note what a peer says; False where that is refused, and the peer cut off if need be."""
        said = frame.bytes
        try:
            descriptor = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:
            # ZeroMQ itself unsubscribes for a connection that has ended.
            return _fault(said) is None
        peer = self._peer(descriptor, frame)
        if peer is None or peer.cut:
            return False
        self._total -= len(peer.topics)
        if said[:1] == b"\x01":
            peer.topics.add(said[1:])
        else:
            peer.topics.discard(said[1:])
        self._total += len(peer.topics)
        fault = _fault(said)
        if fault:
            counters.BUS_UNDECODABLE.labels(fault).inc()
            peer.malformed += 1
        if reason := self._refusal(peer):
            self._cut(peer, reason, frame)
        return not (reason or fault)

    def cut_refused(self) -> int:
        """End the connections whose key is refused now; return how many that were."""
        refused = [peer for peer in self._peers.values() if self._is_refused(peer)]
        for peer in refused:
            self._hang_up(peer)
        return len(refused)

    def _is_refused(self, peer: _Peer) -> bool:
        return bool(
            self._key_refusal and not peer.cut and peer.here and self._key_refusal(peer.key)
        )

    def _peer(self, descriptor: int, frame: zmq.Frame) -> _Peer | None:
        inode = _inode_of(descriptor)
        if inode is None:
            return None
        peer = self._peers.get(inode)
        if peer is None:
            self._peers = {known.inode: known for known in self._peers.values() if known.here}
            self._total = sum(len(known.topics) for known in self._peers.values())
            peer = self._peers[inode] = _Peer(descriptor, inode, _key_of(frame))
            if self._is_refused(peer):  # since it was let in
                self._hang_up(peer)
        return peer

    def _refusal(self, peer: _Peer) -> str | None:
        if peer.malformed > MOST_MALFORMED:
            return "malformed"
        if len(peer.topics) > MOST_OF_A_PEER:
            return "too_many"
        if self._total > MOST_IN_ALL:
            return "too_many_in_all"
        return None

    def _cut(self, peer: _Peer, reason: str, frame: zmq.Frame) -> None:
        counters.BUS_CUT_OFF.labels(reason).inc()
        if self._once.due(self._clock.monotonic()):
            with suppress(zmq.ZMQError):
                logger.warning("subscriber cut off", peer=frame.get("Peer-Address"), reason=reason)
        self._hang_up(peer)

    def _hang_up(self, peer: _Peer) -> None:
        self._total -= len(peer.topics)
        peer.cut = True
        peer.topics.clear()
        _hang_up(peer.descriptor, peer.inode)


def _key_of(frame: zmq.Frame) -> bytes:
    """Return the key by which a frame's sender was let in, nothing where none was asked for."""
    try:
        return str(frame.get("User-Id")).encode()
    except zmq.ZMQError:
        return b""


def _fault(said: bytes) -> str | None:
    if said[:1] not in {b"\x00", b"\x01"}:
        return "not_a_subscription"
    if len(said) > LONGEST_TOPIC_BYTES:
        return "subscription_too_long"
    try:
        return None if said[1:].decode().isprintable() else "subscription_not_text"
    except UnicodeDecodeError:
        return "subscription_not_text"


def _inode_of(descriptor: int) -> int | None:
    """Return the number of the descriptor's file: the descriptor may be another's in a moment."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None


def _hang_up(descriptor: int, inode: int) -> None:
    """End a connection of ZeroMQ's, which sees that and forgets its subscriptions."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        if _inode_of(copy.fileno()) == inode:
            copy.shutdown(socket.SHUT_RDWR)


# The sentry


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
        _hang_up(descriptor, inode)
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
