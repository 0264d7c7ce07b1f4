"""One upstream: its socket, its monitor, and what the process at its other end has said.

Whatever goes wrong is mended in one way: a fresh socket. It holds nothing that a dead publisher
said, sends every subscription again, and so is answered with last values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import zmq

from dragonfly_common import counters
from dragonfly_common.bus import options
from dragonfly_common.bus.bells import Bells
from dragonfly_common.bus.handshakes import FAILURES, next_event
from dragonfly_common.bus.keys import ServerKeys
from dragonfly_common.bus.line import Line
from dragonfly_common.errors import AddressError
from dragonfly_common.lag import Lag
from dragonfly_common.sequencing import Sequencer

__all__ = ["Link"]

# A socket that fails at once is not replaced more often than this.
REOPEN_INTERVAL_S: Final = 0.2
# Nor more often than this where keys do not fit: that is for a person to mend.
REFUSED_INTERVAL_S: Final = 1.0

# Timers must run even while a publisher sends faster than this process reads.
MOST_AT_ONCE: Final = 5_000
ASKED: Final = 4
"""Before so many reads in a row the socket is asked whether it has something."""


class Link(Line):
    """A connection to one address, opened anew as often as it takes."""

    def __init__(
        self,
        address: str,
        prefixes: Iterable[str],
        now: float,
        bells: Bells[Line],
        servers: ServerKeys | None = None,
    ) -> None:
        """Connect to `address`, which need not be served yet; `bells` ring when it is to be read.

        Whoever is there must have one of the keys of `servers`, if there are such.

        Raises:
            AddressError: no socket can connect to an address like this.
        """
        super().__init__(address, prefixes)
        self._bells = bells
        self._servers = servers
        self._server_key: bytes | None = None
        self._turn = 0
        self._failures = 0
        self._denied = False
        self._opened_at = now
        self._reopen_at: float | None = None
        self._open()

    def ask_again(self, prefix: str) -> None:
        if self._reopen_at is None:
            # A socket counts its subscriptions and passes on each, but only the last
            # unsubscription: in this order the publisher's side never stops being subscribed.
            self._socket.subscribe(prefix)
            self._socket.unsubscribe(prefix)

    def receive(self) -> Iterator[list[bytes]]:
        self.unread = True
        for number in range(MOST_AT_ONCE):
            # A vain read costs twice as much as asking first; where many wait there is one in many.
            asks = number < ASKED
            if self._reopen_at is not None or (asks and not options.readable(self._socket)):
                break
            try:
                message = options.receive(self._socket)
            except zmq.Again:
                break
            yield message
        else:
            return
        self.unread = False

    def trouble(self) -> str | None:
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
        return bool(
            self.speaker and self._servers and self._server_key not in self._servers.trusted
        )

    def hear(self, speaker: Sequencer, lag: Lag | None = None) -> None:
        super().hear(speaker, lag)
        self._failures = 0

    def replace(self, reason: str, now: float) -> None:
        counters.BUS_REOPENED.labels(reason).inc()
        if self.speaker is None:
            self._failures += 1
            # Of several keys another may be the right one; who denied us had the right one.
            self._turn += not self._denied
        self.void()
        self._close()
        self._reopen_at = max(now, self._opened_at + self._interval())
        self.tick(now)

    def tick(self, now: float) -> float | None:
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
        self._close()
        self._reopen_at = math.inf

    def _begin(self, prefix: str) -> None:
        if self._reopen_at is None:
            self._socket.subscribe(prefix)

    def _end(self, prefix: str) -> None:
        if self._reopen_at is None:
            self._socket.unsubscribe(prefix)

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
