"""A channel for what must arrive: ROUTER and DEALER, without conflation and without last values.

Neither end promises delivery: a message may be lost with a connection, and a queue that is full
refuses. What must arrive is therefore acknowledged and sent again by those who use it
(`dragonfly_orders`). A key that is no longer trusted, or a handshake that failed, is mended as
everywhere on the bus: by a fresh socket.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import zmq

from dragonfly_common import counters
from dragonfly_common.bus.curve import CurveAuth, Keys, Role, ServerKeys
from dragonfly_common.bus.flood_guard import Subscriptions
from dragonfly_common.bus.zmq_sockets import (
    FAILURES,
    SocketPoller,
    new_dealer,
    new_router,
    next_event,
    readable,
)
from dragonfly_common.bus.zmq_transport import refuse_if_taken
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import check_address
from dragonfly_common.errors import AddressError

__all__ = ["ChannelClient", "ChannelServer"]

REOPEN_INTERVAL_S: Final = 1.0
LONGEST_WAIT_S: Final = 0.25
MOST_AT_ONCE: Final = 1000


class ChannelServer:
    """The bound end, to which any number of clients connect."""

    on_pending: Callable[[], None] | None = None
    on_sent: Callable[[], None] | None = None

    def __init__(self, address: str, clock: Clock, *, keys: Keys | None = None) -> None:
        """Bind `address`; with `keys`, tcp is encrypted, and only those get in whom they trust.

        Raises:
            AddressError: the address is malformed, taken, or cannot be bound here.
        """
        check_address(address)
        self._clock = clock
        self._keys = keys if address.startswith("tcp://") else None
        if address.startswith("ipc://"):
            refuse_if_taken(address)
        self._poller: SocketPoller[None] = SocketPoller()
        self.address = ""
        """Where clients connect."""
        self._open(address)

    def receive(self) -> list[tuple[bytes, bytes]]:
        """Return what clients sent: (whom to answer, payload)."""
        found: list[tuple[bytes, bytes]] = []
        while len(found) < MOST_AT_ONCE and readable(self._socket):
            parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            if len(parts) == 2 and self._is_trusted(parts[1]):
                found.append((parts[0].bytes, parts[1].bytes))
        return found

    def _is_trusted(self, frame: zmq.Frame) -> bool:
        """Say whether the key that a message came by is trusted still."""
        return self._keys is None or self._keys.refusal(str(frame.get("User-Id")).encode()) is None

    def send(self, peer: bytes, payload: bytes) -> bool:
        """Send to one client; False where it is gone, or takes no more."""
        try:
            self._socket.send_multipart((peer, payload), zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def tick(self) -> float:
        """Guard the socket; return seconds until the next time, 0 where something waits."""
        if self._auth is not None:
            self._auth.look()
        return 0.0 if readable(self._socket) else LONGEST_WAIT_S

    def fileno(self) -> int:
        return self._poller.fileno()

    def close(self) -> None:
        self._poller.remove(self._socket)
        self._poller.close()
        if self._auth is not None:
            self._auth.close()
        if self.address.startswith("ipc://"):
            # ZeroMQ leaves the file, which nobody else can have taken before the socket closes.
            Path(self.address[6:]).unlink(missing_ok=True)
        self._socket.close(linger=100)

    def _open(self, address: str) -> None:
        self._socket = new_router(address)
        self._auth = (
            CurveAuth(
                self._socket,
                self._keys,
                Subscriptions(self._clock, self._keys.refusal),
                self._clock,
            )
            if self._keys
            else None
        )
        self._poller.add(self._socket, None)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise AddressError(
                f"cannot bind {address}: {error.strerror}; stop what holds it or choose another "
                "--bind"
            ) from None
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)


class ChannelClient:
    """The connecting end."""

    on_pending: Callable[[], None] | None = None
    on_sent: Callable[[], None] | None = None

    def __init__(
        self, address: str, clock: Clock, *, keys: Keys | None = None, role: Role = Role.ENGINE
    ) -> None:
        """Connect to `address`, which need not be served yet, and there to a key of `role`.

        Raises:
            AddressError: the address is malformed.
        """
        self._address = check_address(address)
        self._clock = clock
        self._servers = ServerKeys(keys, role) if keys and address.startswith("tcp://") else None
        self._turn = 0
        self._reopen_at: float | None = None
        self._poller: SocketPoller[None] = SocketPoller()
        self._open()

    def receive(self) -> list[bytes]:
        found: list[bytes] = []
        while self._reopen_at is None and len(found) < MOST_AT_ONCE and readable(self._socket):
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
            if len(parts) == 1:
                found.append(parts[0])
        return found

    def send(self, payload: bytes) -> bool:
        """Send; False where nobody is there, or takes more."""
        if self._reopen_at is not None:
            return False
        try:
            self._socket.send(payload, zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def tick(self) -> float:
        """Mend the connection; return seconds until the next time, 0 where something waits."""
        now = self._clock.monotonic()
        if self._reopen_at is None:
            while event := next_event(self._monitor):
                if event.failure is not None:
                    counters.BUS_HANDSHAKE_FAILURES.labels("channel", event.failure).inc()
                    self._reopen_at = now + REOPEN_INTERVAL_S
            if self._reopen_at is not None:
                self._turn += 1
                self._close()
        elif now >= self._reopen_at:
            self._open()
        ready = self._reopen_at is None and readable(self._socket)
        return 0.0 if ready else LONGEST_WAIT_S

    def fileno(self) -> int:
        return self._poller.fileno()

    def close(self) -> None:
        if self._reopen_at is None:
            self._reopen_at = float("inf")
            self._close()
        self._poller.close()

    def _open(self) -> None:
        if self._servers and not self._servers.trusted:
            self._reopen_at = self._clock.monotonic() + REOPEN_INTERVAL_S
            return
        self._reopen_at = None
        self._socket = new_dealer(self._address)
        if self._servers:
            trusted = self._servers.trusted
            keys = self._servers.keys
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, trusted[self._turn % len(trusted)])
        self._monitor = self._socket.get_monitor_socket(FAILURES)
        self._poller.add(self._socket, None)
        self._socket.connect(self._address)

    def _close(self) -> None:
        self._poller.remove(self._socket)
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(linger=0)
