"""The receiving end: follows publishers, hands on news and losses, and nothing else.

A publisher's name belongs to its newest process. While that one is followed, and for ten seconds
after its last beat, an older one is refused wherever it speaks; a newer one takes the name over.
After that the name is free: a clock that was set back must not silence a publisher for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog

from dragonfly_common import codec, counters
from dragonfly_common.bus.curve import Keys, Role, ServerKeys
from dragonfly_common.bus.local_transport import SCHEME, LocalUpstream
from dragonfly_common.bus.transport import (
    LATE_FOR_S,
    LATE_LIMIT_S,
    MUTE_LIMIT_S,
    SILENCE_LIMIT_S,
    Delivery,
    Message,
    PublisherLost,
    Upstream,
)
from dragonfly_common.bus.zmq_sockets import SocketPoller
from dragonfly_common.bus.zmq_transport import ZmqUpstream
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import Discovery, LookUp, check_upstream, look_up
from dragonfly_common.errors import DecodeError
from dragonfly_common.messages import Body, Envelope, Heartbeat
from dragonfly_common.sequencing import EVERY_TOPIC, BusSequencer, SequenceVerdict
from dragonfly_common.staleness import Lag, SilenceWatch
from dragonfly_common.topics import HEARTBEAT_PREFIX

__all__ = ["Subscriber"]

NAME_HELD_S: Final = 10.0
SETTLED_S: Final = 1.0
"""A publisher that was not heard by then is not counted on."""

logger = structlog.get_logger()

_DROPPED = {
    verdict: counters.BUS_DROPPED.labels(verdict.value)
    for verdict in SequenceVerdict
    if verdict is not SequenceVerdict.FRESH
}
_REPLACED = counters.BUS_DROPPED.labels("replaced")
_VOID = counters.BUS_DROPPED.labels("void")


class Subscriber:
    """Follows the publishers at any number of addresses, a socket each."""

    def __init__(
        self,
        upstreams: Sequence[str],
        clock: Clock,
        *,
        keys: Keys | None = None,
        servers: Role | None = None,
        look_up: LookUp = look_up,
    ) -> None:
        """Connect to `upstreams`; who is not there yet is waited for.

        A host name stands for all its addresses, which are followed as they change. With `keys`,
        what comes over tcp is encrypted, and only from those whose key is trusted for the role
        `servers`; by default that of the usual upstreams.

        Raises:
            AddressError: an upstream is malformed.
        """
        self.on_pending: Callable[[], None] | None = None
        """Called when there is more to drain than `fileno` tells of."""
        self.on_sent: Callable[[], None] | None = None
        self._clock = clock
        self._prefixes = {HEARTBEAT_PREFIX}
        self._poller: SocketPoller[Upstream] = SocketPoller()
        self._upstreams: dict[str, Upstream] = {}
        self._speaking: SilenceWatch[str] = SilenceWatch(SILENCE_LIMIT_S)
        self._mute: SilenceWatch[str] = SilenceWatch(MUTE_LIMIT_S)
        self._names: dict[str, tuple[int, float]] = {}
        self._losses: list[PublisherLost] = []
        self._look_at = 0.0
        """Until then nobody has been silent for too long, whatever is heard; now where keys may
        have changed, or there are losses to tell."""
        self._servers = ServerKeys(keys, servers) if keys else None
        self._settled_at = clock.monotonic() + SETTLED_S
        self._discovery = Discovery(map(check_upstream, upstreams), look_up)
        self._followed: frozenset[str] = frozenset()
        self._follow()

    @property
    def publishers(self) -> set[str]:
        """The names of the publishers that are heard now."""
        return {
            upstream.source.publisher for upstream in self._upstreams.values() if upstream.source
        }

    def settled(self, now: float) -> bool:
        """Say whether `publishers` can be counted on: all were heard, or had their second."""
        if now >= self._settled_at:
            return True
        return self._discovery.complete and all(
            upstream.source for upstream in self._upstreams.values()
        )

    def subscribe(self, prefix: str) -> None:
        """Ask every publisher for the states under `prefix`, last values first."""
        self._prefixes.add(prefix)
        for upstream in self._upstreams.values():
            upstream.subscribe(prefix)

    def unsubscribe(self, prefix: str) -> None:
        """Stop asking for `prefix`."""
        self._prefixes.discard(prefix)
        for upstream in self._upstreams.values():
            upstream.unsubscribe(prefix)

    def drain(self) -> list[Delivery | PublisherLost]:
        """Return the losses and the news since the last call; of each topic only the newest.

        Losses come first: they void what was handed on before this call.
        """
        # Timers before traffic: when this process stood still, what its sockets hold is old, and
        # those who seem silent are dropped with it and asked afresh. All that is read counts as
        # heard at the beginning, so that standing still in the midst of it shows in the same way.
        now = self._clock.monotonic()
        if now >= self._look_at or self._discovery.addresses is not self._followed:
            self._look(now)
        due = dict.fromkeys(self._poller.ready())
        for upstream in self._upstreams.values():
            if upstream.unread:
                due[upstream] = None
        for upstream in due:
            # Last words first: whoever says bye hangs up at once.
            if not self._read(upstream, now) and (reason := upstream.trouble()):
                self._replace(upstream, reason)
        after = self._clock.monotonic()
        if after - now >= SILENCE_LIMIT_S:
            self._look(after)
        events: list[Delivery | PublisherLost] = [*self._losses]
        self._losses.clear()
        for upstream in self._upstreams.values():
            if upstream.newest:
                for topic, said in upstream.newest.items():
                    news = said if isinstance(said, Delivery) else _open(topic, said)
                    if news is not None:
                        events.append(news)
                upstream.newest.clear()
        return events

    def tick(self) -> float:
        """Follow names, replace silent publishers' sockets.

        Return seconds until the next look, 0 where there is something to drain.
        """
        now = self._clock.monotonic()
        if now >= self._look_at or self._discovery.addresses is not self._followed:
            left = self._look(now)
        else:
            left = self._look_at - now
        for upstream in self._upstreams.values():
            if upstream.unread:
                return 0.0
        return left

    def _look(self, now: float) -> float:
        if self._discovery.addresses is not self._followed:
            self._follow()
        if self._servers:
            self._servers.keys.refresh(now)
            for upstream in [
                upstream for upstream in self._upstreams.values() if upstream.untrusted()
            ]:
                self._replace(upstream, "untrusted")
        for address in self._speaking.silent(now):
            self._replace(self._upstreams[address], "silent")
        for address in self._mute.silent(now):
            self._replace(self._upstreams[address], "mute")
        if self._losses:
            return 0.0
        due = [self._speaking.due_in(now), self._mute.due_in(now)]
        due += [
            wait
            for upstream in self._upstreams.values()
            if (wait := upstream.tick(now)) is not None
        ]
        left = min(due, default=math.inf)
        self._look_at = now if self._servers else now + left
        return left

    def close(self) -> None:
        self._discovery.close()
        for upstream in self._upstreams.values():
            upstream.close()
        self._upstreams.clear()
        self._poller.close()

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._poller.fileno()

    def _follow(self) -> None:
        """Connect to all addresses that are known now, and to no other."""
        self._followed = wanted = self._discovery.addresses
        self._look_at = 0.0
        now = self._clock.monotonic()
        for address in wanted - self._upstreams.keys():
            self._upstreams[address] = self._new_upstream(address, now)
            self._mute.heard(address, now)
        for upstream in [*self._upstreams.values()]:
            # Its name is taken away from a process that begins to stop. Until it has handed over,
            # it speaks: what it says is true for as long as it says it.
            if upstream.address not in wanted and upstream.source is None:
                self._drop(upstream)

    def _new_upstream(self, address: str, now: float) -> Upstream:
        if address.startswith(SCHEME):
            return LocalUpstream(address, self._prefixes, self._tell_pending)
        servers = self._servers if address.startswith("tcp://") else None
        return ZmqUpstream(address, self._prefixes, now, self._poller, servers)

    def _tell_pending(self) -> None:
        if self.on_pending is not None:
            self.on_pending()

    def _drop(self, upstream: Upstream) -> None:
        del self._upstreams[upstream.address]
        self._mute.forget(upstream.address)
        upstream.close()

    def _read(self, upstream: Upstream, now: float) -> int:
        """Take what has arrived; return how many messages that were."""
        received = 0
        for message in upstream.receive():
            received += 1
            try:
                if isinstance(message, Delivery):
                    self._take(upstream, message.topic, message, now)
                else:
                    self._take(upstream, *_parse(message), now)
            except DecodeError as error:
                counters.BUS_UNDECODABLE.labels(error.reason).inc()
        if received:
            counters.BUS_RECEIVED.count += received
        if upstream.replaced:
            _REPLACED.inc(upstream.replaced)
            upstream.replaced = 0
        if upstream.source and upstream.source.lost:
            counters.BUS_GAPS.inc(upstream.source.lost)
            upstream.source.lost = 0
        return received

    def _take(self, upstream: Upstream, topic: str, envelope: Message, now: float) -> None:
        source = upstream.source or self._identify(upstream, envelope, now)
        if source is None:
            return
        if topic.startswith(HEARTBEAT_PREFIX):
            self._on_beat(upstream, source, envelope, now)
            return
        verdict = source.judge(envelope.publisher, envelope.epoch, topic, envelope.seq)
        if verdict is not SequenceVerdict.FRESH:
            _DROPPED[verdict].inc()
            return
        if topic in upstream.newest:
            upstream.replaced += 1
        upstream.newest[topic] = envelope

    def _identify(self, upstream: Upstream, envelope: Message, now: float) -> BusSequencer | None:
        """Return who speaks on a new connection, unless the name is a newer process's."""
        publisher, epoch = envelope.publisher, envelope.epoch
        self._names = {name: held for name, held in self._names.items() if now < held[1]}
        newest, _ = self._names.get(publisher, (epoch, now))
        verdict = SequenceVerdict.OLD_EPOCH if epoch < newest else SequenceVerdict.FRESH
        for other in [*self._upstreams.values()]:
            if other.source and other.source.publisher == publisher:
                if epoch > other.source.epoch:
                    self._replace(other, "superseded")
                else:
                    same = epoch == other.source.epoch
                    verdict = SequenceVerdict.FOREIGN if same else SequenceVerdict.OLD_EPOCH
        if verdict is not SequenceVerdict.FRESH:
            _DROPPED[verdict].inc()
            upstream.refuse(publisher, verdict)
            return None
        logger.info("publisher heard", publisher=publisher, address=upstream.address)
        if upstream.refused:
            self._ask_again(upstream, EVERY_TOPIC)
        wall_s = self._clock.now_ns() / 1e9
        lag = Lag(wall_s, now, limit_s=LATE_LIMIT_S, patience_s=LATE_FOR_S)
        upstream.on_source(BusSequencer(publisher, epoch), lag)
        self._look_at = 0.0
        self._mute.forget(upstream.address)
        self._speaking.heard(upstream.address, now)
        return upstream.source

    def _on_beat(
        self, upstream: Upstream, source: BusSequencer, envelope: Message, now: float
    ) -> None:
        verdict = source.recognise(envelope.publisher, envelope.epoch)
        if verdict is not SequenceVerdict.FRESH:
            _DROPPED[verdict].inc()
            return
        beat = _body_of(envelope)
        if not isinstance(beat, Heartbeat):
            raise DecodeError("not_a_heartbeat")
        self._names[source.publisher] = (source.epoch, now + NAME_HELD_S)
        # Beats alone are signs of life: on a line that is too slow they wait among the rest.
        self._speaking.heard(upstream.address, now)
        if beat.bye:
            self._replace(upstream, "bye")
            return
        if upstream.lag and upstream.lag.observe(now, envelope.ts_pub):
            self._replace(upstream, "late")
            return
        self._ask_again(upstream, source.on_beat(envelope.seq, beat.digest))

    def _ask_again(self, upstream: Upstream, topics: Collection[str] | None) -> None:
        if topics is EVERY_TOPIC:
            prefixes = self._prefixes
        else:
            # Prefixes are short: what a damaged beat names may be as long as a message.
            longest = max(map(len, self._prefixes))
            beginnings = {topic[:end] for topic in topics for end in range(longest + 1)}
            prefixes = beginnings & self._prefixes
        for prefix in prefixes - {HEARTBEAT_PREFIX}:
            counters.BUS_REASKED.inc()
            upstream.ask_again(prefix)

    def _replace(self, upstream: Upstream, reason: str) -> None:
        now = self._clock.monotonic()
        self._on_lost(upstream, reason)
        self._look_at = 0.0
        if upstream.address not in self._followed:
            self._drop(upstream)
            return
        upstream.replace(reason, now)
        self._mute.heard(upstream.address, now)

    def _on_lost(self, upstream: Upstream, reason: str) -> None:
        self._speaking.forget(upstream.address)
        if upstream.source is None:
            upstream.complain("upstream not heard", reason=reason)
            return
        publisher, address = upstream.source.publisher, upstream.address
        _VOID.inc(len(upstream.newest))
        counters.BUS_LOST_PUBLISHERS.labels(reason).inc()
        logger.warning("publisher lost", publisher=publisher, address=address, reason=reason)
        self._losses.append(PublisherLost(publisher, reason))


def _parse(message: list[bytes]) -> tuple[str, Envelope]:
    if len(message) != 2:
        raise DecodeError("not_two_parts")
    try:
        topic = message[0].decode()
    except UnicodeDecodeError:
        raise DecodeError("topic_not_text") from None
    return topic, codec.decode_envelope(message[1])


def _body_of(said: Message) -> Body:
    return said.body if isinstance(said, Delivery) else codec.decode_body(said.body)


def _open(topic: str, said: Envelope) -> Delivery | None:
    try:
        body = codec.decode_body(said.body)
    except DecodeError as error:
        counters.BUS_UNDECODABLE.labels(error.reason).inc()
        return None
    return Delivery(topic, said.publisher, said.epoch, said.seq, said.ts_pub, body)
