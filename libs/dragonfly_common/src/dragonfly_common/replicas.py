"""The replicas of one service, joined by the bus: each publishes its claim and hears the others'.

The names of the replicas' addresses are all they need to be told. Who is there is who beats, and
who owns what follows from that alone (`assignment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from dragonfly_common.assignment import Assignment
from dragonfly_common.bus import Keys, Publisher, PublisherLost, Subscriber
from dragonfly_common.bus.transport import SILENCE_LIMIT_S
from dragonfly_common.clock import Clock
from dragonfly_common.messages import Claim
from dragonfly_common.staleness import PauseDetector
from dragonfly_common.topics import SHARE_TOPIC

__all__ = ["ReplicaGroup"]

CLAIM_INTERVAL_S: Final = 0.05
"""While an instrument after another becomes ready, the others are told this often."""
LEAVE_LIMIT_S: Final = 1.2
"""How long the others may take to be ready; two seconds are promised until the end."""
LAST_S: Final = 0.1
"""Between the last claim that was awaited and the end: consumers hear the others by then."""
DOUBT_S: Final = 0.5
"""After this process stood still it seems alone, until the others are heard again."""

logger = structlog.get_logger()


class ReplicaGroup:
    """One replica among the others: drives an `Assignment` with what comes from the bus."""

    def __init__(
        self,
        addresses: Sequence[str],
        publisher: Publisher,
        assignment: Assignment,
        clock: Clock,
        keys: Keys | None = None,
    ) -> None:
        """Follow the replicas at `addresses`, which may include this one; none: there are none.

        Raises:
            AddressError: an address is malformed.
        """
        self.assignment = assignment
        servers = keys.role if keys else None
        self.subscribers = (
            [Subscriber(addresses, clock, keys=keys, servers=servers)] if addresses else []
        )
        """To be waited on: one, or none."""
        self._publisher = publisher
        self._clock = clock
        self._said: Claim | None = None
        self._next_claim = 0.0
        self._pauses = PauseDetector(SILENCE_LIMIT_S, clock.monotonic())
        self._closed_until = 0.0
        self._settled = False
        self._leaving_since: float | None = None
        self._over_since: float | None = None
        assignment.open = not addresses
        for subscriber in self.subscribers:
            subscriber.subscribe(SHARE_TOPIC)

    def turn(self) -> None:
        """Take what arrived, and tell what changed."""
        now = self._clock.monotonic()
        for subscriber in self.subscribers:
            self._hear(subscriber)
            self._settled = self._settled or subscriber.settled(now)
            if self._pauses.beat(now):
                self._closed_until = now + DOUBT_S
            self.assignment.open = self._settled and now >= self._closed_until
            self._tell(now)

    def leave(self) -> None:
        """Begin to hand over; `may_end` says when that is done."""
        self._leaving_since = self._clock.monotonic()
        self.assignment.leave()

    def may_end(self) -> bool:
        """Say whether the others have all, or have had their time."""
        now = self._clock.monotonic()
        if self._leaving_since is None or self.assignment.alone:
            return True
        if not self.assignment.handed_over:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = now
        return (
            self._over_since is not None and now - self._over_since >= LAST_S
        ) or now - self._leaving_since >= LEAVE_LIMIT_S

    def close(self) -> None:
        for subscriber in self.subscribers:
            subscriber.close()

    def _hear(self, subscriber: Subscriber) -> None:
        for event in subscriber.drain():
            if event.publisher == self.assignment.me:
                continue
            if isinstance(event, PublisherLost):
                logger.info("peer lost", peer=event.publisher, reason=event.reason)
                self.assignment.on_lost(event.publisher)
            elif isinstance(event.body, Claim):
                self.assignment.on_claim(event.publisher, event.body)

    def _tell(self, now: float) -> None:
        claim = self.assignment.claim
        if claim is self._said or not (now >= self._next_claim or claim.leaving):
            return
        if claim != self._said:
            self._next_claim = now + CLAIM_INTERVAL_S
            self._publisher.publish(SHARE_TOPIC, claim)
        self._said = claim
