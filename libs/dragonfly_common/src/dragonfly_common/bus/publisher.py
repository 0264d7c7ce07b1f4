"""The sending end: numbers, keeps and sends states, hears interest, beats."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

import msgspec
import structlog

from dragonfly_common import counters
from dragonfly_common.bus import flood_guard, transport
from dragonfly_common.bus.curve import Keys
from dragonfly_common.bus.local_transport import SCHEME, LocalEndpoint
from dragonfly_common.bus.transport import Delivery, Endpoint
from dragonfly_common.bus.zmq_transport import ZmqEndpoint
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import LookUp, OwnAddresses
from dragonfly_common.messages import Body, Heartbeat
from dragonfly_common.topics import HEARTBEAT_PREFIX, heartbeat_topic

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
        """Called when subscriptions wait of which `fileno` tells no more."""
        self.on_sent: Callable[[], None] | None = None
        """Called when it may be so, after a send over a socket."""
        self._clock = clock
        self._last: dict[str, Any] = {}
        self._topics: list[str] = []
        self._seqs: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._beat_topic = heartbeat_topic(publisher_id)
        self._beats = 0
        self._next_beat = clock.monotonic()
        self._endpoint: Endpoint = (
            LocalEndpoint(address, self._tell_pending)
            if address.startswith(SCHEME)
            else ZmqEndpoint(address, look_up or OwnAddresses(), keys, clock, self._tell_sent)
        )

        if address.startswith("tcp://"):
            flood_guard.post(self)

    @property
    def overdue_s(self) -> float:
        """How much later it is than when the next beat was due. Safe in any thread."""
        return self._clock.monotonic() - self._next_beat

    @property
    def address(self) -> str:
        """Where subscribers connect; a name as it was given until it leads here."""
        return self._endpoint.address

    def publish(self, topic: str, body: Body) -> None:
        """Send a state, and keep it for those who subscribe later.

        A state too large for any subscriber is counted, logged and not sent.
        """
        seq = self._seqs.get(topic, 0) + 1
        sent = self._send(topic, seq, body)
        if sent is None:
            counters.BUS_DROPPED.labels("oversized").inc()
            logger.error("state too large", topic=topic, most_bytes=transport.MAX_STATE_BYTES)
            return
        if topic not in self._last:
            insort(self._topics, topic)
        self._last[topic] = sent
        self._seqs[topic] = self._changed[topic] = seq
        if (now := self._clock.monotonic()) >= self._next_beat:
            self._beat_in_time(now)  # also where so much is sent that a turn takes long

    def forget(self, topic: str) -> None:
        """Void the last value of `topic`: later subscribers hear nothing of it."""
        if self._last.pop(topic, None):
            del self._topics[bisect_left(self._topics, topic)]
        self._changed.pop(topic, None)

    def drain(self) -> list[Interest]:
        """Return what consumers asked for since the last call; answer each with its last values."""
        interests: list[Interest] = []
        # To the end, however long: ZeroMQ keeps what it takes before it is counted here. Measured:
        # with 2,000 at a time a flood of 20 connections took 450 MB, and so it takes 115.
        while (frame := self._endpoint.next_asked()) is not None:
            interests.append(Interest(frame[1:].decode(), frame[:1] == b"\x01"))
        if not interests:
            return interests
        wanted = dict.fromkeys(interest.prefix for interest in interests if interest.wanted)
        if HEARTBEAT_PREFIX in wanted:
            # Whoever hears a beat first knows that none was lost, and need not ask for all again.
            self._beat(bye=False)
        for prefix in wanted:
            self._answer(prefix)
        return interests

    def tick(self) -> float:
        """Guard the socket; beat and follow the bound name if it is time.

        Return seconds until the next time, 0 where there is something to drain.
        """
        now = self._clock.monotonic()
        if now >= self._next_beat:
            self._beat_in_time(now)
        return 0.0 if self._endpoint.guard() else self._next_beat - now

    def close(self) -> None:
        """Say bye, so that consumers need not wait for silence, and close."""
        self._beat(bye=True)
        flood_guard.release(self)
        self._endpoint.close(transport.BYE_LINGER_MS)

    def fileno(self) -> int | None:
        """Return the descriptor to wait on; None where `on_pending` is all there is."""
        return self._endpoint.fileno()

    def _answer(self, prefix: str) -> None:
        topics = self._topics
        for index in range(bisect_left(topics, prefix), len(topics)):
            topic = topics[index]
            if not topic.startswith(prefix):
                return
            # The next beat names it, so that an answer that overflowed is asked for again.
            self._changed[topic] = self._seqs[topic]
            self._endpoint.repeat(self._last[topic])

    def _beat_in_time(self, now: float) -> None:
        self._next_beat = now + transport.BEAT_INTERVAL_S
        self._endpoint.follow()
        self._beat(bye=False)

    def _beat(self, *, bye: bool) -> None:
        named = list(islice(self._changed, MOST_NAMED))
        digest = {topic: self._changed.pop(topic) for topic in named}
        self._beats += 1
        self._send(self._beat_topic, self._beats, Heartbeat(digest, bye))

    def _send(self, topic: str, seq: int, body: Body) -> Any:
        now_ns = self._clock.now_ns()
        said = Delivery(topic, self.publisher_id, self.epoch, seq, now_ns, body)
        return self._endpoint.send(said)

    def _tell_pending(self) -> None:
        if self.on_pending is not None:
            self.on_pending()

    def _tell_sent(self) -> None:
        if self.on_sent is not None:
            self.on_sent()
