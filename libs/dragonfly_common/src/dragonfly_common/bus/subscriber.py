"""The receiving end: follows publishers, hands on news and losses, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
import structlog
import zmq

from dragonfly_common import codec, counters
from dragonfly_common.bus.link import Link
from dragonfly_common.bus.options import SILENCE_LIMIT_S, readable
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import resolve
from dragonfly_common.errors import DecodeError
from dragonfly_common.messages import Body, Envelope, Heartbeat
from dragonfly_common.sequencing import Sequencer, Verdict
from dragonfly_common.staleness import Silence
from dragonfly_common.topics import HEARTBEAT_PREFIX

__all__ = ["Delivery", "PublisherLost", "Subscriber"]

logger = structlog.get_logger()

_DUPLICATE = counters.BUS_DROPPED.labels("duplicate")
_OLD_EPOCH = counters.BUS_DROPPED.labels("old_epoch")
_REPLACED = counters.BUS_DROPPED.labels("replaced")
_FOREIGN = counters.BUS_DROPPED.labels("foreign_publisher")


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A fresh state: the newest of its topic and publisher."""

    topic: str
    publisher: str
    epoch: int
    seq: int
    ts_pub: int
    body: Body


class PublisherLost(msgspec.Struct, frozen=True):
    """All that `publisher` said is void until it says it again."""

    publisher: str
    reason: str


class Subscriber:
    """Follows the publishers at any number of addresses, a socket each."""

    def __init__(self, upstreams: Sequence[str], clock: Clock) -> None:
        """Connect to `upstreams`; who is not there yet is waited for.

        Raises:
            AddressError: an upstream is malformed.
        """
        self._clock = clock
        self._prefixes = {HEARTBEAT_PREFIX}
        self._links: dict[str, Link] = {}
        self._sequencer = Sequencer()
        self._silence: Silence[str] = Silence(SILENCE_LIMIT_S)
        self._losses: list[PublisherLost] = []
        self.follow(address for upstream in upstreams for address in resolve(upstream))

    def follow(self, addresses: Iterable[str]) -> None:
        """Connect to exactly `addresses` from now on."""
        wanted = set(addresses)
        for address in self._links.keys() - wanted:
            self._lose(self._links[address], "removed")
            self._links.pop(address).close()
        for address in wanted - self._links.keys():
            self._links[address] = Link(address, self._prefixes, self._clock.monotonic())

    def subscribe(self, prefix: str) -> None:
        """Ask every publisher for the states under `prefix`, last values first."""
        self._prefixes.add(prefix)
        for link in self._links.values():
            link.subscribe(prefix)

    def unsubscribe(self, prefix: str) -> None:
        """Stop asking for `prefix`."""
        self._prefixes.discard(prefix)
        self._sequencer.forget_prefix(prefix)
        for link in self._links.values():
            link.unsubscribe(prefix)

    def drain(self) -> list[Delivery | PublisherLost]:
        """Return the losses and the news since the last call; of each topic only the newest.

        Losses come first: they void what was handed on before this call.
        """
        # Timers before traffic: when this process stood still, what its sockets hold is old, and
        # those who seem silent are dropped with it and asked afresh.
        self.tick()
        newest: dict[tuple[str, str], Envelope] = {}
        for link in self._links.values():
            reason = link.trouble()
            if reason:
                self._replace(link, reason)
            for frames in link.receive():
                self._take(link, frames, newest)
        losses, self._losses = self._losses, []
        lost = {loss.publisher for loss in losses}
        deliveries = [
            delivery
            for (topic, publisher), envelope in newest.items()
            if self._links_speak(publisher, lost) and (delivery := _open(topic, envelope))
        ]
        return [*losses, *deliveries]

    def tick(self) -> float:
        """Replace the sockets of silent publishers; return seconds until the next look."""
        now = self._clock.monotonic()
        for address in self._silence.silent(now):
            self._replace(self._links[address], "silent")
        due = [self._silence.due_in(now)]
        due += [wait for link in self._links.values() if (wait := link.tick(now)) is not None]
        return min(due, default=math.inf)

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()

    def pending(self) -> bool:
        """Say whether something waits to be drained."""
        return bool(self._losses) or any(map(readable, self.sockets()))

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Return what to wait on; it changes when a socket is replaced."""
        return [socket for link in self._links.values() for socket in link.sockets()]

    def _links_speak(self, publisher: str, lost: set[str]) -> bool:
        # Lost in this very call: what it said before that is void, unless a fresh socket heard it.
        return publisher not in lost or any(
            link.publisher == publisher for link in self._links.values()
        )

    def _take(
        self, link: Link, frames: list[bytes], newest: dict[tuple[str, str], Envelope]
    ) -> None:
        counters.BUS_RECEIVED.inc()
        try:
            topic, envelope = _parse(frames)
        except DecodeError as error:
            counters.BUS_UNDECODABLE.labels(error.reason).inc()
            return
        publisher = envelope.publisher
        if link.publisher is None:
            if any(other.publisher == publisher for other in self._links.values()):
                _FOREIGN.inc()
                return
            link.publisher = publisher
            logger.info("publisher heard", publisher=publisher, address=link.address)
        elif link.publisher != publisher:
            _FOREIGN.inc()
            return
        if not self._is_news(publisher, topic, envelope):
            return
        self._silence.heard(link.address, self._clock.monotonic())
        if topic.startswith(HEARTBEAT_PREFIX):
            self._hear_beat(link, envelope)
            return
        key = (topic, publisher)
        if key in newest:
            _REPLACED.inc()
        newest[key] = envelope

    def _is_news(self, publisher: str, topic: str, envelope: Envelope) -> bool:
        lost_before = self._sequencer.lost
        verdict = self._sequencer.judge(publisher, envelope.epoch, topic, envelope.seq)
        if verdict is Verdict.FRESH:
            if lost := self._sequencer.lost - lost_before:
                self._count_gap(publisher, topic, lost)
            return True
        (_DUPLICATE if verdict is Verdict.DUPLICATE else _OLD_EPOCH).inc()
        return False

    def _count_gap(self, publisher: str, topic: str, lost: int) -> None:
        counters.BUS_GAPS.inc(lost)
        if topic.startswith(HEARTBEAT_PREFIX):
            # The digest that never came may have named any topic.
            self._ask_again(publisher, self._prefixes - {HEARTBEAT_PREFIX})

    def _hear_beat(self, link: Link, envelope: Envelope) -> None:
        try:
            beat = codec.decode_body(envelope.body)
        except DecodeError as error:
            counters.BUS_UNDECODABLE.labels(error.reason).inc()
            return
        if not isinstance(beat, Heartbeat):
            counters.BUS_UNDECODABLE.labels("not_a_heartbeat").inc()
        elif beat.bye:
            self._replace(link, "bye")
        else:
            behind = self._sequencer.behind(envelope.publisher, beat.digest)
            self._ask_again(
                envelope.publisher,
                {prefix for prefix in self._prefixes if any(t.startswith(prefix) for t in behind)},
            )

    def _ask_again(self, publisher: str, prefixes: Iterable[str]) -> None:
        for link in self._links.values():
            if link.publisher == publisher:
                for prefix in prefixes:
                    counters.BUS_REASKED.inc()
                    link.ask_again(prefix)

    def _replace(self, link: Link, reason: str) -> None:
        self._lose(link, reason)
        link.replace(reason, self._clock.monotonic())

    def _lose(self, link: Link, reason: str) -> None:
        self._silence.forget(link.address)
        if link.publisher is None:
            return
        counters.BUS_LOST_PUBLISHERS.labels(reason).inc()
        logger.warning(
            "publisher lost", publisher=link.publisher, address=link.address, reason=reason
        )
        self._sequencer.forget(link.publisher)
        self._losses.append(PublisherLost(link.publisher, reason))
        link.publisher = None


def _parse(frames: list[bytes]) -> tuple[str, Envelope]:
    if len(frames) != 2:
        raise DecodeError("not_two_parts")
    try:
        topic = frames[0].decode()
    except UnicodeDecodeError:
        raise DecodeError("topic_not_text") from None
    return topic, codec.decode_envelope(frames[1])


def _open(topic: str, envelope: Envelope) -> Delivery | None:
    try:
        body = codec.decode_body(envelope.body)
    except DecodeError as error:
        counters.BUS_UNDECODABLE.labels(error.reason).inc()
        return None
    return Delivery(topic, envelope.publisher, envelope.epoch, envelope.seq, envelope.ts_pub, body)
