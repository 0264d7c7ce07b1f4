"""Both ends over ZeroMQ.

Whatever goes wrong at a subscriber's is mended in one way: a fresh socket. It holds nothing that a
dead publisher said, sends every subscription again, and so is answered with last values.
"""

from __future__ import annotations

import math
import socket as sockets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
import zmq

from dragonfly_common import codec, counters
from dragonfly_common.bus import zmq_sockets
from dragonfly_common.bus.curve import CurveAuth, Keys, ServerKeys
from dragonfly_common.bus.flood_guard import Subscriptions
from dragonfly_common.bus.transport import MAX_STATE_BYTES, Delivery, Endpoint, Upstream
from dragonfly_common.bus.zmq_sockets import FAILURES, SocketPoller, next_event
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import Discovery, LookUp, check_address
from dragonfly_common.errors import AddressError
from dragonfly_common.sequencing import BusSequencer
from dragonfly_common.staleness import Lag

__all__ = ["ZmqEndpoint", "ZmqUpstream", "refuse_if_taken"]

# A socket that fails at once is not replaced more often than this.
REOPEN_INTERVAL_S: Final = 0.2
# Nor more often than this where keys do not fit: that is for a person to mend.
REFUSED_INTERVAL_S: Final = 1.0

# Timers must run even while a publisher sends faster than this process reads.
MOST_AT_ONCE: Final = 5_000
ASKED: Final = 4
"""Before so many reads in a row the socket is asked whether it has something."""

logger = structlog.get_logger()

_Packed = tuple[bytes, bytes]


class ZmqEndpoint(Endpoint):
    """One socket, and the addresses at which it can be found."""

    def __init__(
        self,
        address: str,
        look_up: LookUp,
        keys: Keys | None,
        clock: Clock,
        on_sent: Callable[[], None],
    ) -> None:
        """Bind `address`; what a host name stands for is bound by `follow`, when it is known.

        `on_sent` is called after each send, which may take what a subscriber said: `fileno` tells
        no more of that, and `guard` does. To ask here costs a tenth of what a listener does with a
        frame.
        With `keys`, tcp is encrypted and only whom they trust gets in.

        Raises:
            AddressError: the address is malformed, taken, or cannot be bound here.
        """
        self._given = check_address(address)
        self._on_sent = on_sent
        self._bound: dict[str, str] = {}
        self._followed: frozenset[str] = frozenset()
        self._complained = False
        if address.startswith("ipc://"):
            refuse_if_taken(address)
        self.socket = zmq_sockets.new_publisher(address)
        secured = keys if address.startswith("tcp://") else None
        self._subscriptions = Subscriptions(clock, secured.refusal if secured else None)
        self._auth = (
            CurveAuth(self.socket, secured, self._subscriptions, clock) if secured else None
        )
        self._discovery = Discovery([address], look_up)
        if address in self._discovery.addresses:
            try:
                self._rebind()
            except AddressError:
                self.close()
                raise

    @property
    def address(self) -> str:
        """Where the socket is bound now, blanks between; where it shall be while it is not."""
        return " ".join(self._bound.values()) or self._given

    def send(self, message: Delivery) -> _Packed | None:
        """Send to whoever subscribed, unless it is too large; see `Endpoint`."""
        payload = codec.encode_message(
            message.publisher, message.epoch, message.seq, message.ts_pub, message.body
        )
        if len(payload) > MAX_STATE_BYTES:
            # A subscriber would hang up on it, come back, be answered with it, and hang up again.
            return None
        packed = message.topic.encode(), payload
        self.repeat(packed)
        return packed

    def repeat(self, sent: _Packed) -> None:
        """Send again what `send` returned."""
        counters.BUS_PUBLISHED.count += 1
        zmq_sockets.send(self.socket, *sent)
        self._on_sent()

    def next_asked(self) -> bytes | None:
        """Return what a subscriber says next: b"\x01" or b"\x00" and a prefix; None: nothing."""
        while zmq_sockets.readable(self.socket):
            frame = self.socket.recv(zmq.NOBLOCK, copy=False)
            if self._subscriptions.admit(frame):
                return frame.bytes
        return None

    def fileno(self) -> int | None:
        """Return the descriptor that tells of what subscribers say, None where a call does."""
        return zmq_sockets.descriptor(self.socket)

    def follow(self) -> None:
        """Bind what the name stands for now and nothing else."""
        try:
            self._rebind()
            self._complained = False
        except AddressError as error:
            if not self._complained:
                self._complained = True
                logger.warning("bus not bound", address=self._given, reason=str(error))

    def guard(self) -> bool:
        """See who came in and who was refused; say whether subscribers said something."""
        if self._auth:
            self._auth.look()
        return zmq_sockets.readable(self.socket)

    def close(self, linger_ms: int = 0) -> None:
        self._discovery.close()
        if self._auth:
            self._auth.close()
        for address in self._bound:
            # ZeroMQ leaves the file. Before the socket closes, no other process can have taken it.
            if address.startswith("ipc://") and not address.startswith("ipc://@"):
                with suppress(OSError):
                    Path(address[6:]).unlink()
        self.socket.close(linger=linger_ms)

    def _rebind(self) -> None:
        wanted = self._discovery.addresses
        if wanted is self._followed:
            return
        for address in self._bound.keys() - wanted:
            self.socket.unbind(self._bound.pop(address))
        for address in wanted - self._bound.keys():
            self._bind(address)
        self._followed = wanted

    def _bind(self, address: str) -> None:
        self.socket.setsockopt(zmq.IPV6, int("[" in address))
        try:
            self.socket.bind(address)
        except zmq.ZMQError as error:
            raise AddressError(
                f"cannot bind {address}: {error.strerror}; stop what holds it or choose another "
                "--bind"
            ) from None
        self._bound[address] = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)


class ZmqUpstream(Upstream):
    """A connection to one address, opened anew as often as it takes."""

    def __init__(
        self,
        address: str,
        prefixes: Iterable[str],
        now: float,
        poller: SocketPoller[Upstream],
        servers: ServerKeys | None = None,
    ) -> None:
        """Connect to `address`, which need not be served yet; `poller` tells when it is to be read.

        Whoever is there must have one of the keys of `servers`, if there are such.

        Raises:
            AddressError: no socket can connect to an address like this.
        """
        super().__init__(address, prefixes)
        self._poller = poller
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
            if self._reopen_at is not None or (asks and not zmq_sockets.readable(self._socket)):
                break
            try:
                message = zmq_sockets.receive(self._socket)
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
        return bool(self.source and self._servers and self._server_key not in self._servers.trusted)

    def on_source(self, source: BusSequencer, lag: Lag | None = None) -> None:
        super().on_source(source, lag)
        self._failures = 0

    def replace(self, reason: str, now: float) -> None:
        counters.BUS_REOPENED.labels(reason).inc()
        if self.source is None:
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
        # A poller does not tell of a socket before it was read to its end once.
        self.unread = True
        if self._servers:
            trusted = self._servers.trusted
            if not trusted:
                self._reopen_at = self._opened_at + REFUSED_INTERVAL_S
                self.complain("no key trusted", role=self._servers.role.value)
                return
            self._server_key = trusted[self._turn % len(trusted)]
        self._socket = zmq_sockets.new_subscriber(self.address)
        if self._servers and self._server_key:
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, self._servers.keys.public)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, self._servers.keys.secret)
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, self._server_key)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | FAILURES)
        for prefix in sorted(self._prefixes):
            self._socket.subscribe(prefix)
        for socket in (self._socket, self._monitor):
            self._poller.add(socket, self)
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
            self._poller.remove(socket)
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()


def refuse_if_taken(address: str) -> None:
    """Refuse an ipc address that a process serves, or where something else is.

    Raises:
        AddressError: it is taken.
    """
    path = Path(address[6:])
    # ZeroMQ unlinks the path, whatever it is, and binds anew: a file would be gone, and a second
    # process would silently cut the first one off.
    if path.exists() and not path.is_socket():
        raise AddressError(f"cannot bind {address}: it is no socket; choose another --bind")
    probe = sockets.socket(sockets.AF_UNIX)
    try:
        probe.connect(str(path))
    except OSError:
        return
    finally:
        probe.close()
    raise AddressError(
        f"cannot bind {address}: a running process serves it; stop that or choose another --bind"
    )
