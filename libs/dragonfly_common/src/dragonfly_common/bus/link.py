"""One upstream: its socket, its monitor, and what the process at its other end has said.

Whatever goes wrong is mended in one way: a fresh socket. It holds nothing that a dead publisher
said, sends every subscription again, and so is answered with last values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import structlog
import zmq

from dragonfly_common import counters
from dragonfly_common.bus import options
from dragonfly_common.bus.bells import Bells
from dragonfly_common.bus.handshakes import FAILURES, next_event
from dragonfly_common.bus.keys import ServerKeys
from dragonfly_common.errors import AddressError
from dragonfly_common.lag import Lag
from dragonfly_common.messages import Envelope
from dragonfly_common.sequencing import Sequencer, Verdict

__all__ = ["Link"]

# A socket that fails at once is not replaced more often than this.
REOPEN_INTERVAL_S: Final = 0.2
# Nor more often than this where keys do not fit: that is for a person to mend.
REFUSED_INTERVAL_S: Final = 1.0

# Timers must run even while a publisher sends faster than this process reads.
MOST_AT_ONCE: Final = 5_000

logger = structlog.get_logger()


class Link:
    """A connection to one address, opened anew as often as it takes."""

    def __init__(
        self,
        address: str,
        prefixes: Iterable[str],
        now: float,
        bells: Bells[Link],
        servers: ServerKeys | None = None,
    ) -> None:
        """Connect to `address`, which need not be served yet; `bells` ring when it is to be read.

        Whoever is there must have one of the keys of `servers`, if there are such.

        Raises:
            AddressError: no socket can connect to an address like this.
        """
        self.address = address
        self.speaker: Sequencer | None = None
        """Who speaks here, once heard."""
        self.lag: Lag | None = None
        """How late its beats are."""
        self.newest: dict[str, Envelope] = {}
        """What was read and not handed on yet, by topic."""
        self.refused = False
        """Whether something that was said here since it is open was not for us to believe."""
        self.unread = True
        """Whether there may be something of which no bell tells."""
        self._bells = bells
        self._servers = servers
        self._server_key: bytes | None = None
        self._turn = 0
        self._failures = 0
        self._denied = False
        self._prefixes = set(prefixes)
        self._opened_at = now
        self._reopen_at: float | None = None
        self._complained = False
        self._open()

    def subscribe(self, prefix: str) -> None:
        if prefix not in self._prefixes:
            self._prefixes.add(prefix)
            if self.speaker:
                # A word of it may have come after the last unsubscription: its repetition is news.
                self.speaker.forget_prefix(prefix)
            if self._reopen_at is None:
                self._socket.subscribe(prefix)

    def unsubscribe(self, prefix: str) -> None:
        if prefix in self._prefixes:
            self._prefixes.discard(prefix)
            if self._reopen_at is None:
                self._socket.unsubscribe(prefix)

    def ask_again(self, prefix: str) -> None:
        """Ask the publisher for its last values under `prefix`."""
        if self._reopen_at is None:
            # A socket counts its subscriptions and passes on each, but only the last
            # unsubscription: in this order the publisher's side never stops being subscribed.
            self._socket.subscribe(prefix)
            self._socket.unsubscribe(prefix)

    def receive(self) -> Iterator[list[bytes]]:
        """Yield what has arrived, without waiting."""
        self.unread = True
        for _ in range(MOST_AT_ONCE):
            if self._reopen_at is not None or not options.readable(self._socket):
                self.unread = False
                return
            yield options.receive(self._socket)

    def trouble(self) -> str | None:
        """Return why this socket must be replaced, if its monitor says so."""
        reason = None
        while self._reopen_at is None and (event := next_event(self._monitor)):
            if event.failure is None:
                reason = reason or "disconnected"
                continue
            reason = "handshake"
            self._denied = event.failure == "auth"
            counters.BUS_HANDSHAKE_FAILURES.labels("subscriber", event.failure).inc()
            self._complain_of_handshake(event.failure)
        return reason

    def untrusted(self) -> bool:
        """Say whether the key of who speaks here is not trusted any more."""
        return bool(
            self.speaker and self._servers and self._server_key not in self._servers.trusted
        )

    def complain(self, event: str, **facts: object) -> None:
        """Log that something is wrong here; once until somebody is heard."""
        if not self._complained:
            self._complained = True
            logger.warning(event, address=self.address, **facts)

    def hear(self, speaker: Sequencer, lag: Lag | None = None) -> None:
        """Note who speaks here."""
        self.speaker, self.lag = speaker, lag
        self.refused = self._complained = False
        self._failures = 0

    def refuse(self, publisher: str, why: Verdict) -> None:
        """Note that nobody was believed here yet."""
        self.refused = True
        self.complain("publisher refused", publisher=publisher, reason=why.value)

    def replace(self, reason: str, now: float) -> None:
        """Close the socket with all that it holds; a fresh one follows now or shortly."""
        counters.BUS_REOPENED.labels(reason).inc()
        if self.speaker is None:
            self._failures += 1
            # Of several keys another may be the right one; who denied us had the right one.
            self._turn += not self._denied
        self.speaker = None
        self.newest.clear()
        self._close()
        self._reopen_at = max(now, self._opened_at + self._interval())
        self.tick(now)

    def tick(self, now: float) -> float | None:
        """Open the fresh socket when it is due; return seconds until then, None when it is open."""
        if self._reopen_at is None:
            return None
        if now < self._reopen_at:
            return self._reopen_at - now
        self._reopen_at = None
        self._opened_at = now
        self._open()
        return None

    def sockets(self) -> list[zmq.Socket[bytes]]:
        return [self._socket, self._monitor] if self._reopen_at is None else []

    def close(self) -> None:
        """Close the socket for good."""
        self._close()
        self._reopen_at = math.inf

    def _interval(self) -> float:
        if self._servers is None:
            return REOPEN_INTERVAL_S
        # One more than there are: a handshake also fails when its publisher ends meanwhile.
        tried_all = self._failures > len(self._servers.trusted)
        return REFUSED_INTERVAL_S if tried_all or self._denied else REOPEN_INTERVAL_S

    def _complain_of_handshake(self, kind: str) -> None:
        # Of several keys all but one are wrong: nothing to complain of until all were tried.
        if self._servers is None or kind == "auth":
            self.complain("handshake failed", kind=kind)
        elif self._failures + 1 >= len(self._servers.trusted):
            self.complain("handshake failed", kind=kind, expected=f"a key of {self._servers.role}")

    def _open(self) -> None:
        self.refused = self._denied = False
        # A socket does not ring before it was read to its end once.
        self.unread = True
        if self._servers:
            trusted = self._servers.trusted
            if not trusted:
                self._reopen_at = self._opened_at + REFUSED_INTERVAL_S
                self.complain("no key trusted", role=self._servers.role.value)
                return
            self._server_key = trusted[self._turn % len(trusted)]
        self._socket = options.new_subscriber(self.address)
        if self._servers and self._server_key:
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, self._servers.keys.public)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, self._servers.keys.secret)
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, self._server_key)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | FAILURES)
        for prefix in sorted(self._prefixes):
            self._socket.subscribe(prefix)
        for socket in (self._socket, self._monitor):
            self._bells.add(socket, self)
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            self._close()
            raise AddressError(
                f"cannot connect to {self.address}: {error.strerror}; write ipc:///path or "
                "tcp://host:port of a running process"
            ) from None

    def _close(self) -> None:
        if self._reopen_at is not None:
            return  # it is closed, and waits for the fresh one
        for socket in (self._socket, self._monitor):
            self._bells.remove(socket)
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
