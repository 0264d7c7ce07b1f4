"""The transport of the bus: both ends as their owners see them, whatever is between them.

An Endpoint is a publisher's end at its address, an Upstream a subscriber's end of one address. Over
ZeroMQ they are in `zmq_transport`, within one process in `local_transport`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec
import structlog

from dragonfly_common.messages import Body, Envelope
from dragonfly_common.sequencing import BusSequencer, SequenceVerdict
from dragonfly_common.staleness import Lag

__all__ = [
    "BEAT_INTERVAL_S",
    "BYE_LINGER_MS",
    "LATE_FOR_S",
    "LATE_LIMIT_S",
    "MAX_STATE_BYTES",
    "MUTE_LIMIT_S",
    "SILENCE_LIMIT_S",
    "Delivery",
    "Endpoint",
    "Message",
    "PublisherLost",
    "Upstream",
]

BEAT_INTERVAL_S: Final = 0.2
SILENCE_LIMIT_S: Final = 0.7
"""Three beats missed: the publisher is dead or frozen. Its levels are out within 750 ms."""
LATE_LIMIT_S: Final = 0.5
LATE_FOR_S: Final = 0.5
"""Beats that come so much later than they did: the line is slower than what is said, and what it
holds is old. A fresh socket begins with last values."""
MUTE_LIMIT_S: Final = 5.0
"""Nobody was heard on a new socket for so long: it may be the socket's fault."""

BYE_LINGER_MS: Final = 100
"""How long a publisher's last words may take to leave."""

# A Book of 20 levels is about 800 bytes, the instrument list of the largest venue about 40 KiB.
MAX_STATE_BYTES: Final = 1 << 20

logger = structlog.get_logger()


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


Message: TypeAlias = Envelope | Delivery
"""An envelope has an undecoded body: it came as bytes."""


class Endpoint(ABC):
    """A publisher's end, and the addresses at which it can be found."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where subscribers connect."""

    @abstractmethod
    def send(self, message: Delivery) -> Any | None:
        """Send to whoever subscribed, and return what `repeat` takes.

        What is too large for any subscriber is not sent, and None is returned.
        """

    @abstractmethod
    def repeat(self, sent: Any) -> None:
        """Send again what `send` returned."""

    @abstractmethod
    def next_asked(self) -> bytes | None:
        """Return what a subscriber says next: b"\x01" or b"\x00" and a prefix; None: nothing."""

    @abstractmethod
    def fileno(self) -> int | None:
        """Return the descriptor that tells of what subscribers say, None where a call does."""

    @abstractmethod
    def follow(self) -> None:
        """Bind what the name stands for now and nothing else."""

    @abstractmethod
    def guard(self) -> bool:
        """See who came in and who was refused; say whether subscribers said something."""

    @abstractmethod
    def close(self, linger_ms: int = 0) -> None:
        """Be found no longer."""


class Upstream(ABC):
    """One address that is followed, and what the process there has said."""

    def __init__(self, address: str, prefixes: Iterable[str]) -> None:
        self.address = address
        self.source: BusSequencer | None = None
        """The publisher that speaks here, once heard."""
        self.lag: Lag | None = None
        """How late its beats are."""
        self.newest: dict[str, Message] = {}
        """Messages that were read and not handed on yet, by topic."""
        self.replaced = 0
        """Messages conflated before they were handed on, not counted yet."""
        self.refused = False
        """A message that came here since it is open was not for us to believe."""
        self.unread = False
        """There may be messages that its poller does not tell of."""
        self._prefixes = set(prefixes)
        self._complained = False

    def subscribe(self, prefix: str) -> None:
        if prefix not in self._prefixes:
            self._prefixes.add(prefix)
            if self.source:
                # A word of it may have come after the last unsubscription: its repetition is news.
                self.source.forget_prefix(prefix)
            self._begin(prefix)

    def unsubscribe(self, prefix: str) -> None:
        if prefix in self._prefixes:
            self._prefixes.discard(prefix)
            self._end(prefix)

    def complain(self, event: str, **facts: object) -> None:
        """Log that something is wrong here; once until somebody is heard."""
        if not self._complained:
            self._complained = True
            logger.warning(event, address=self.address, **facts)

    def on_source(self, source: BusSequencer, lag: Lag | None = None) -> None:
        """Note who speaks here."""
        self.source, self.lag = source, lag
        self.refused = self._complained = False

    def refuse(self, publisher: str, why: SequenceVerdict) -> None:
        """Note that nobody was believed here yet."""
        self.refused = True
        self.complain("publisher refused", publisher=publisher, reason=why.value)

    def void(self) -> None:
        """Forget who spoke, and what was said."""
        self.source = None
        self.newest.clear()

    def untrusted(self) -> bool:
        """Say whether the key of who speaks here is not trusted any more."""
        return False

    def tick(self, now: float) -> float | None:
        """Do what is due; return seconds until it is, None where nothing will be."""
        return None

    @abstractmethod
    def ask_again(self, prefix: str) -> None:
        """Ask the publisher for its last values under `prefix`."""

    @abstractmethod
    def receive(self) -> Iterator[list[bytes] | Delivery]:
        """Yield what has arrived, without waiting."""

    @abstractmethod
    def trouble(self) -> str | None:
        """Return why this line must begin afresh, if it must."""

    @abstractmethod
    def replace(self, reason: str, now: float) -> None:
        """Begin afresh: nothing is left of what was said, and all is asked for, now or shortly."""

    @abstractmethod
    def close(self) -> None:
        """Follow no longer."""

    @abstractmethod
    def _begin(self, prefix: str) -> None:
        """Ask for a prefix that was not asked for."""

    @abstractmethod
    def _end(self, prefix: str) -> None:
        """Ask for it no more."""
