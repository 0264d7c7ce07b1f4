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
from zmq.utils.monitor import parse_monitor_message

from dragonfly_common import counters
from dragonfly_common.bus import options
from dragonfly_common.errors import AddressError
from dragonfly_common.messages import Envelope
from dragonfly_common.sequencing import Sequencer, Verdict

__all__ = ["Link"]

# A socket that fails at once is not replaced more often than this.
REOPEN_INTERVAL_S: Final = 0.2

# Timers must run even while a publisher sends faster than this process reads.
MOST_AT_ONCE: Final = 5_000

_HANDSHAKE_FAILURES: Final = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "no_detail",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "protocol",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "auth",
}

logger = structlog.get_logger()


class Link:
    """A connection to one address, opened anew as often as it takes."""

    def __init__(self, address: str, prefixes: Iterable[str], now: float) -> None:
        """Connect to `address`, which need not be served yet.

        Raises:
            AddressError: no socket can connect to an address like this.
        """
        self.address = address
        self.speaker: Sequencer | None = None
        """Who speaks here, once heard."""
        self.newest: dict[str, Envelope] = {}
        """What was read and not handed on yet, by topic."""
        self.refused = False
        """Whether something that was said here since it is open was not for us to believe."""
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
        for _ in range(MOST_AT_ONCE):
            if self._reopen_at is not None or not options.readable(self._socket):
                return
            yield options.receive(self._socket)

    def trouble(self) -> str | None:
        """Return why this socket must be replaced, if its monitor says so."""
        reason = None
        while self._reopen_at is None and options.readable(self._monitor):
            event = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))["event"]
            if event == zmq.EVENT_DISCONNECTED:
                reason = reason or "disconnected"
            elif event in _HANDSHAKE_FAILURES:
                reason = "handshake"
                kind = _HANDSHAKE_FAILURES[zmq.Event(event)]
                counters.BUS_HANDSHAKE_FAILURES.labels(kind).inc()
                self.complain("handshake failed", kind=kind)
        return reason

    def complain(self, event: str, **facts: object) -> None:
        """Log that something is wrong here; once until somebody is heard."""
        if not self._complained:
            self._complained = True
            logger.warning(event, address=self.address, **facts)

    def hear(self, speaker: Sequencer) -> None:
        """Note who speaks here."""
        self.speaker = speaker
        self.refused = self._complained = False

    def refuse(self, publisher: str, why: Verdict) -> None:
        """Note that nobody was believed here yet."""
        self.refused = True
        self.complain("publisher refused", publisher=publisher, reason=why.value)

    def replace(self, reason: str, now: float) -> None:
        """Close the socket with all that it holds; a fresh one follows now or shortly."""
        counters.BUS_REOPENED.labels(reason).inc()
        self.speaker = None
        self.newest.clear()
        self._close()
        self._reopen_at = max(now, self._opened_at + REOPEN_INTERVAL_S)
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
        if self._reopen_at is None:
            self._close()
        self._reopen_at = math.inf

    def _open(self) -> None:
        self.refused = False
        self._socket = options.new_subscriber(self.address)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_DISCONNECTED | sum(_HANDSHAKE_FAILURES)
        )
        for prefix in sorted(self._prefixes):
            self._socket.subscribe(prefix)
        try:
            self._socket.connect(self.address)
        except zmq.ZMQError as error:
            self._close()
            raise AddressError(
                f"cannot connect to {self.address}: {error.strerror}; write ipc:///path or "
                "tcp://host:port of a running process"
            ) from None

    def _close(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
