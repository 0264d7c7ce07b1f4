"""The sending end: numbers, keeps and sends states, hears interest, beats."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import islice
from typing import Final

import msgspec
import structlog
import zmq

from dragonfly_common import codec, counters
from dragonfly_common.bus import options
from dragonfly_common.bus.binding import Binding
from dragonfly_common.bus.keys import Keys
from dragonfly_common.bus.options import readable
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import LookUp, OwnAddresses
from dragonfly_common.messages import Body, Heartbeat
from dragonfly_common.topics import heartbeat_topic

__all__ = ["Interest", "Publisher"]

# A beat must stay below the limit of size that states have; what is over waits for the next.
MOST_NAMED: Final = 10_000

logger = structlog.get_logger()


class Interest(msgspec.Struct, frozen=True):
    """Consumers asked for a prefix, or the last of them stopped asking."""

    prefix: str
    wanted: bool


class Publisher:
    """One bound socket that many subscribers connect to."""

    def __init__(
        self,
        address: str,
        publisher_id: str,
        clock: Clock,
        *,
        keys: Keys | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        """Bind `address`; `publisher_id` must be this process's own on the whole bus.

        Of a host name those addresses are bound that are this machine's own, as they change: a
        machine on two networks serves only one of them. With `keys`, what goes over tcp is
        encrypted, and only subscribers get in whose key is trusted and of a fitting role.

        Raises:
            AddressError: the address is malformed, taken, or cannot be bound here.
        """
        self.publisher_id = publisher_id
        self.epoch = clock.now_ns()
        self.on_pending: Callable[[], None] | None = None
        """Called when a send found subscriptions waiting, which then raise no further edge."""
        self._clock = clock
        self._last: dict[str, tuple[bytes, bytes]] = {}
        self._topics: list[str] = []
        self._seqs: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._sent = 0
        self._beat_topic = heartbeat_topic(publisher_id).encode()
        self._beats = 0
        self._next_beat = clock.monotonic()
        self._binding = Binding(address, look_up or OwnAddresses(), keys, clock)
        self._socket = self._binding.socket

    @property
    def address(self) -> str:
        """Where subscribers connect; a name as it was given until it leads here."""
        return self._binding.address

    def publish(self, topic: str, body: Body) -> None:
        """Send a state, and keep it for those who subscribe later.

        A state too large for any subscriber is counted, logged and not sent.
        """
        seq = self._seqs.get(topic, 0) + 1
        payload = self._encode(seq, body)
        if len(payload) > options.MAX_STATE_BYTES:
            # A subscriber would hang up on it, come back, be answered with it, and hang up again.
            counters.BUS_DROPPED.labels("oversized").inc()
            logger.error("state too large", topic=topic, bytes=len(payload))
            return
        if topic not in self._last:
            insort(self._topics, topic)
        self._last[topic] = frames = (topic.encode(), payload)
        self._seqs[topic] = self._changed[topic] = seq
        self._send(*frames)

    def forget(self, topic: str) -> None:
        """Void the last value of `topic`: later subscribers hear nothing of it."""
        if self._last.pop(topic, None):
            del self._topics[bisect_left(self._topics, topic)]
        self._changed.pop(topic, None)

    def drain(self) -> list[Interest]:
        """Return what consumers asked for since the last call; answer each with its last values."""
        interests = []
        while self.pending():
            frame = self._socket.recv(zmq.NOBLOCK)
            if frame[:1] not in {b"\x00", b"\x01"}:
                counters.BUS_UNDECODABLE.labels("not_a_subscription").inc()
                continue
            try:
                interest = Interest(frame[1:].decode(), frame[:1] == b"\x01")
            except UnicodeDecodeError:
                counters.BUS_UNDECODABLE.labels("subscription_not_text").inc()
                continue
            if interest.wanted:
                self._answer(interest.prefix)
            interests.append(interest)
        return interests

    def tick(self) -> float:
        """Guard the socket; beat and follow the bound name if it is time; return seconds left."""
        self._binding.guard()
        now = self._clock.monotonic()
        if now >= self._next_beat:
            self._binding.follow()
            self._beat(bye=False)
            self._next_beat = now + options.BEAT_INTERVAL_S
        return self._next_beat - now

    def close(self) -> None:
        """Say bye, so that consumers need not wait for silence, and close."""
        self._beat(bye=True)
        self._binding.close(options.BYE_LINGER_MS)

    def pending(self) -> bool:
        """Say whether subscriptions wait to be drained, of which `fileno` may tell no more."""
        return readable(self._socket)

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Return those that are open now."""
        return [self._socket]

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return options.descriptor(self._socket)

    def _answer(self, prefix: str) -> None:
        topics = self._topics
        for index in range(bisect_left(topics, prefix), len(topics)):
            topic = topics[index]
            if not topic.startswith(prefix):
                return
            # The next beat names it, so that an answer that overflowed is asked for again.
            self._changed[topic] = self._seqs[topic]
            self._send(*self._last[topic])

    def _beat(self, *, bye: bool) -> None:
        named = list(islice(self._changed, MOST_NAMED))
        digest = {topic: self._changed.pop(topic) for topic in named}
        self._beats += 1
        self._send(self._beat_topic, self._encode(self._beats, Heartbeat(digest, bye)))
        counters.BUS_PUBLISHED.inc(self._sent)
        self._sent = 0

    def _encode(self, seq: int, body: Body) -> bytes:
        return codec.encode_message(self.publisher_id, self.epoch, seq, self._clock.now_ns(), body)

    def _send(self, topic: bytes, payload: bytes) -> None:
        options.send(self._socket, topic, payload)
        self._sent += 1
        if self.on_pending is not None and self.pending():
            self.on_pending()
