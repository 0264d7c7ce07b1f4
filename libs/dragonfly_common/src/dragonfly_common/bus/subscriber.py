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
import zmq

from dragonfly_common import codec, counters
from dragonfly_common.bus.bells import Bells
from dragonfly_common.bus.deliveries import Delivery, PublisherLost
from dragonfly_common.bus.keys import Keys, Role, ServerKeys
from dragonfly_common.bus.line import Line, Said
from dragonfly_common.bus.link import Link
from dragonfly_common.bus.local import SCHEME, LocalLink
from dragonfly_common.bus.options import LATE_FOR_S, LATE_LIMIT_S, MUTE_LIMIT_S, SILENCE_LIMIT_S
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import Discovery, LookUp, check_upstream, look_up
from dragonfly_common.errors import DecodeError
from dragonfly_common.lag import Lag
from dragonfly_common.messages import Body, Envelope, Heartbeat
from dragonfly_common.sequencing import EVERY_TOPIC, Sequencer, Verdict
from dragonfly_common.staleness import Silence
from dragonfly_common.topics import HEARTBEAT_PREFIX

__all__ = ["Subscriber"]

NAME_HELD_S: Final = 10.0
SETTLED_S: Final = 1.0
"""Who was not heard by then is not counted on."""

logger = structlog.get_logger()

_DROPPED = {
    verdict: counters.BUS_DROPPED.labels(verdict.value)
    for verdict in Verdict
    if verdict is not Verdict.FRESH
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
        self._clock = clock
        self._prefixes = {HEARTBEAT_PREFIX}
        self._bells: Bells[Line] = Bells()
        self._links: dict[str, Line] = {}
        self._speaking: Silence[str] = Silence(SILENCE_LIMIT_S)
        self._mute: Silence[str] = Silence(MUTE_LIMIT_S)
        self._names: dict[str, tuple[int, float]] = {}
        self._losses: list[PublisherLost] = []
        self._look_at = 0.0
        """Until then nobody has been silent for too long, whatever is heard."""
        self._servers = ServerKeys(keys, servers) if keys else None
        self._settled_at = clock.monotonic() + SETTLED_S
        self._discovery = Discovery(map(check_upstream, upstreams), look_up)
        self._followed: frozenset[str] = frozenset()
        self._follow()

    @property
    def publishers(self) -> set[str]:
        """The names of the publishers that are heard now."""
        return {link.speaker.publisher for link in self._links.values() if link.speaker}

    def settled(self, now: float) -> bool:
        """Say whether `publishers` can be counted on: all were heard, or had their second."""
        if now >= self._settled_at:
            return True
        return self._discovery.complete and all(link.speaker for link in self._links.values())

    def subscribe(self, prefix: str) -> None:
        """Ask every publisher for the states under `prefix`, last values first."""
        self._prefixes.add(prefix)
        for link in self._links.values():
            link.subscribe(prefix)

    def unsubscribe(self, prefix: str) -> None:
        """Stop asking for `prefix`."""
        self._prefixes.discard(prefix)
        for link in self._links.values():
            link.unsubscribe(prefix)

    def drain(self) -> list[Delivery | PublisherLost]:
        """Return the losses and the news since the last call; of each topic only the newest.

        Losses come first: they void what was handed on before this call.
        """
        # Timers before traffic: when this process stood still, what its sockets hold is old, and
        # those who seem silent are dropped with it and asked afresh. All that is read counts as
        # heard at the beginning, so that standing still in the midst of it shows in the same way.
        now = self._clock.monotonic()
        self._look(now)
        due = dict.fromkeys(self._bells.rung())
        for link in self._links.values():
            if link.unread:
                due[link] = None
        for link in due:
            # Last words first: whoever says bye hangs up at once.
            if not self._read(link, now) and (reason := link.trouble()):
                self._replace(link, reason)
        after = self._clock.monotonic()
        if after - now >= SILENCE_LIMIT_S:
            self._look(after)
        events: list[Delivery | PublisherLost] = [*self._losses]
        self._losses.clear()
        for link in self._links.values():
            if link.newest:
                events += filter(None, map(_open, link.newest.items()))
                link.newest.clear()
        return events

    def tick(self) -> float:
        """Follow names, replace silent publishers' sockets.

        Return seconds until the next look, 0 where there is something to drain.
        """
        left = self._look(self._clock.monotonic())
        for link in self._links.values():
            if link.unread:
                return 0.0
        return left

    def _look(self, now: float) -> float:
        if self._discovery.addresses is not self._followed:
            self._follow()
        if now < self._look_at and not (self._losses or self._servers):
            return self._look_at - now
        if self._servers:
            self._servers.keys.refresh(now)
            for link in [link for link in self._links.values() if link.untrusted()]:
                self._replace(link, "untrusted")
        for address in self._speaking.silent(now):
            self._replace(self._links[address], "silent")
        for address in self._mute.silent(now):
            self._replace(self._links[address], "mute")
        if self._losses:
            return 0.0
        due = [self._speaking.due_in(now), self._mute.due_in(now)]
        due += [wait for link in self._links.values() if (wait := link.tick(now)) is not None]
        left = min(due, default=math.inf)
        self._look_at = now + left
        return left

    def close(self) -> None:
        self._discovery.close()
        for link in self._links.values():
            link.close()
        self._links.clear()
        self._bells.close()

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """Return those that are open now."""
        return [socket for link in self._links.values() for socket in link.sockets()]

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._bells.fileno()

    def _follow(self) -> None:
        """Connect to all addresses that are known now, and to no other."""
        self._followed = wanted = self._discovery.addresses
        self._look_at = 0.0
        now = self._clock.monotonic()
        for address in wanted - self._links.keys():
            self._links[address] = self._new_line(address, now)
            self._mute.heard(address, now)
        for link in [*self._links.values()]:
            # Its name is taken away from a process that begins to stop. Until it has handed over,
            # it speaks: what it says is true for as long as it says it.
            if link.address not in wanted and link.speaker is None:
                self._drop(link)

    def _new_line(self, address: str, now: float) -> Line:
        if address.startswith(SCHEME):
            return LocalLink(address, self._prefixes, self._tell_pending)
        servers = self._servers if address.startswith("tcp://") else None
        return Link(address, self._prefixes, now, self._bells, servers)

    def _tell_pending(self) -> None:
        if self.on_pending is not None:
            self.on_pending()

    def _drop(self, link: Line) -> None:
        del self._links[link.address]
        self._mute.forget(link.address)
        link.close()

    def _read(self, link: Line, now: float) -> int:
        """Take what has arrived; return how many messages that were."""
        received = 0
        for message in link.receive():
            received += 1
            try:
                if isinstance(message, Delivery):
                    self._take(link, message.topic, message, now)
                else:
                    self._take(link, *_parse(message), now)
            except DecodeError as error:
                counters.BUS_UNDECODABLE.labels(error.reason).inc()
        if received:
            counters.BUS_RECEIVED.count += received
        if link.replaced:
            _REPLACED.inc(link.replaced)
            link.replaced = 0
        if link.speaker and link.speaker.lost:
            counters.BUS_GAPS.inc(link.speaker.lost)
            link.speaker.lost = 0
        return received

    def _take(self, link: Line, topic: str, envelope: Said, now: float) -> None:
        speaker = link.speaker or self._meet(link, envelope, now)
        if speaker is None:
            return
        if topic.startswith(HEARTBEAT_PREFIX):
            self._hear_beat(link, speaker, envelope, now)
            return
        verdict = speaker.judge(envelope.publisher, envelope.epoch, topic, envelope.seq)
        if verdict is not Verdict.FRESH:
            _DROPPED[verdict].inc()
            return
        if topic in link.newest:
            link.replaced += 1
        link.newest[topic] = envelope

    def _meet(self, link: Line, envelope: Said, now: float) -> Sequencer | None:
        """Return who speaks on a new connection, unless the name is a newer process's."""
        publisher, epoch = envelope.publisher, envelope.epoch
        self._names = {name: held for name, held in self._names.items() if now < held[1]}
        newest, _ = self._names.get(publisher, (epoch, now))
        verdict = Verdict.OLD_EPOCH if epoch < newest else Verdict.FRESH
        for other in [*self._links.values()]:
            if other.speaker and other.speaker.publisher == publisher:
                if epoch > other.speaker.epoch:
                    self._replace(other, "superseded")
                else:
                    same = epoch == other.speaker.epoch
                    verdict = Verdict.FOREIGN if same else Verdict.OLD_EPOCH
        if verdict is not Verdict.FRESH:
            _DROPPED[verdict].inc()
            link.refuse(publisher, verdict)
            return None
        logger.info("publisher heard", publisher=publisher, address=link.address)
        if link.refused:
            self._ask_again(link, EVERY_TOPIC)
        wall_s = self._clock.now_ns() / 1e9
        lag = Lag(wall_s, now, limit_s=LATE_LIMIT_S, patience_s=LATE_FOR_S)
        link.hear(Sequencer(publisher, epoch), lag)
        self._look_at = 0.0
        self._mute.forget(link.address)
        self._speaking.heard(link.address, now)
        return link.speaker

    def _hear_beat(self, link: Line, speaker: Sequencer, envelope: Said, now: float) -> None:
        verdict = speaker.recognise(envelope.publisher, envelope.epoch)
        if verdict is not Verdict.FRESH:
            _DROPPED[verdict].inc()
            return
        beat = _body_of(envelope)
        if not isinstance(beat, Heartbeat):
            raise DecodeError("not_a_heartbeat")
        self._names[speaker.publisher] = (speaker.epoch, now + NAME_HELD_S)
        # Beats alone are signs of life: on a line that is too slow they wait among the rest.
        self._speaking.heard(link.address, now)
        if beat.bye:
            self._replace(link, "bye")
            return
        if link.lag and link.lag.observe(now, envelope.ts_pub):
            self._replace(link, "late")
            return
        self._ask_again(link, speaker.hear_beat(envelope.seq, beat.digest))

    def _ask_again(self, link: Line, topics: Collection[str] | None) -> None:
        if topics is EVERY_TOPIC:
            prefixes = self._prefixes
        else:
            # Prefixes are short: what a damaged beat names may be as long as a message.
            longest = max(map(len, self._prefixes))
            beginnings = {topic[:end] for topic in topics for end in range(longest + 1)}
            prefixes = beginnings & self._prefixes
        for prefix in prefixes - {HEARTBEAT_PREFIX}:
            counters.BUS_REASKED.inc()
            link.ask_again(prefix)

    def _replace(self, link: Line, reason: str) -> None:
        now = self._clock.monotonic()
        self._lose(link, reason)
        self._look_at = 0.0
        if link.address not in self._followed:
            self._drop(link)
            return
        link.replace(reason, now)
        self._mute.heard(link.address, now)

    def _lose(self, link: Line, reason: str) -> None:
        self._speaking.forget(link.address)
        if link.speaker is None:
            link.complain("upstream not heard", reason=reason)
            return
        publisher = link.speaker.publisher
        _VOID.inc(len(link.newest))
        counters.BUS_LOST_PUBLISHERS.labels(reason).inc()
        logger.warning("publisher lost", publisher=publisher, address=link.address, reason=reason)
        self._losses.append(PublisherLost(publisher, reason))


def _parse(message: list[bytes]) -> tuple[str, Envelope]:
    if len(message) != 2:
        raise DecodeError("not_two_parts")
    try:
        topic = message[0].decode()
    except UnicodeDecodeError:
        raise DecodeError("topic_not_text") from None
    return topic, codec.decode_envelope(message[1])


def _body_of(said: Said) -> Body:
    return said.body if isinstance(said, Delivery) else codec.decode_body(said.body)


def _open(received: tuple[str, Said]) -> Delivery | None:
    topic, said = received
    if isinstance(said, Delivery):
        return said
    try:
        body = codec.decode_body(said.body)
    except DecodeError as error:
        counters.BUS_UNDECODABLE.labels(error.reason).inc()
        return None
    return Delivery(topic, said.publisher, said.epoch, said.seq, said.ts_pub, body)
