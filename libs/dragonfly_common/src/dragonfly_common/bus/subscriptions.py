"""What each peer of a publisher has subscribed, bounded.

ZeroMQ keeps every subscription in a tree, some 50 bytes for each byte of a topic, before this
process hears of it. So a peer is cut off as soon as it has more than anybody needs, which frees
what it had: a peer's bound is what memory a connection can take. Whose a subscription is, ZeroMQ
says by the descriptor of its connection.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import structlog
import zmq

from dragonfly_common import counters
from dragonfly_common.bus.connections import hang_up, inode_of
from dragonfly_common.clock import Clock

__all__ = ["Subscriptions"]

LONGEST_TOPIC_BYTES: Final = 192
"""`view.liquidity.` and the longest instrument in letters of three bytes take 138."""
MOST_OF_A_PEER: Final = 16_384
"""Every view of all 3,000 instruments that three venues list is 9,000."""
MOST_IN_ALL: Final = 65_536
MOST_MALFORMED: Final = 64
REPEAT_INTERVAL_S: Final = 10.0

logger = structlog.get_logger()


class _Peer:
    """One connection."""

    def __init__(self, descriptor: int, inode: int) -> None:
        self.descriptor = descriptor
        self.inode = inode
        self.topics: set[bytes] = set()
        self.malformed = 0
        self.cut = False

    @property
    def here(self) -> bool:
        return inode_of(self.descriptor) == self.inode


class Subscriptions:
    """Those of one publisher's socket."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peers: dict[int, _Peer] = {}
        self._total = 0
        self._say_at = 0.0

    def admit(self, frame: zmq.Frame) -> bool:
        """Note what a peer says; False where that is refused, and the peer cut off if need be."""
        said = frame.bytes
        try:
            descriptor = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:
            # ZeroMQ itself unsubscribes for a connection that has ended.
            return _fault(said) is None
        peer = self._peer(descriptor)
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

    def _peer(self, descriptor: int) -> _Peer | None:
        inode = inode_of(descriptor)
        if inode is None:
            return None
        peer = self._peers.get(inode)
        if peer is None:
            self._peers = {known.inode: known for known in self._peers.values() if known.here}
            self._total = sum(len(known.topics) for known in self._peers.values())
            peer = self._peers[inode] = _Peer(descriptor, inode)
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
        now = self._clock.monotonic()
        if now >= self._say_at:
            self._say_at = now + REPEAT_INTERVAL_S
            with suppress(zmq.ZMQError):
                logger.warning("subscriber cut off", peer=frame.get("Peer-Address"), reason=reason)
        self._total -= len(peer.topics)
        peer.cut = True
        peer.topics.clear()
        hang_up(peer.descriptor, peer.inode)


def _fault(said: bytes) -> str | None:
    if said[:1] not in {b"\x00", b"\x01"}:
        return "not_a_subscription"
    if len(said) > LONGEST_TOPIC_BYTES:
        return "subscription_too_long"
    try:
        return None if said[1:].decode().isprintable() else "subscription_not_text"
    except UnicodeDecodeError:
        return "subscription_not_text"
