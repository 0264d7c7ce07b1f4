"""What a subscriber keeps of one upstream, whatever carries what is said there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import structlog
import zmq

from dragonfly_common.bus.deliveries import Delivery
from dragonfly_common.lag import Lag
from dragonfly_common.messages import Envelope
from dragonfly_common.sequencing import Sequencer, Verdict

__all__ = ["Line", "Said"]

logger = structlog.get_logger()

Said: TypeAlias = Envelope | Delivery
"""A message: what came as bytes has an undecoded body."""


class Line(ABC):
    """One address that is followed, and what the process there has said."""

    def __init__(self, address: str, prefixes: Iterable[str]) -> None:
        self.address = address
        self.speaker: Sequencer | None = None
        """Who speaks here, once heard."""
        self.lag: Lag | None = None
        """How late its beats are."""
        self.newest: dict[str, Said] = {}
        """What was read and not handed on yet, by topic."""
        self.replaced = 0
        """What a newer one of its topic replaced before it was handed on, not counted yet."""
        self.refused = False
        """Whether something that was said here since it is open was not for us to believe."""
        self.unread = False
        """Whether there may be something of which no bell tells."""
        self._prefixes = set(prefixes)
        self._complained = False

    def subscribe(self, prefix: str) -> None:
        if prefix not in self._prefixes:
            self._prefixes.add(prefix)
            if self.speaker:
                # A word of it may have come after the last unsubscription: its repetition is news.
                self.speaker.forget_prefix(prefix)
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

    def hear(self, speaker: Sequencer, lag: Lag | None = None) -> None:
        """Note who speaks here."""
        self.speaker, self.lag = speaker, lag
        self.refused = self._complained = False

    def refuse(self, publisher: str, why: Verdict) -> None:
        """Note that nobody was believed here yet."""
        self.refused = True
        self.complain("publisher refused", publisher=publisher, reason=why.value)

    def void(self) -> None:
        """Forget who spoke, and what was said."""
        self.speaker = None
        self.newest.clear()

    def untrusted(self) -> bool:
        """Say whether the key of who speaks here is not trusted any more."""
        return False

    def tick(self, now: float) -> float | None:
        """Do what is due; return seconds until it is, None where nothing will be."""
        return None

    def sockets(self) -> list[zmq.Socket[bytes]]:
        return []

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
