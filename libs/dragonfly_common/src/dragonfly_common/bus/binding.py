"""A publisher's socket, bound where it was told: once, or wherever a name leads to this machine."""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
import zmq

from dragonfly_common import codec, counters
from dragonfly_common.bus import options
from dragonfly_common.bus.deliveries import Delivery
from dragonfly_common.bus.gate import Gate
from dragonfly_common.bus.keys import Keys
from dragonfly_common.bus.subscriptions import Subscriptions
from dragonfly_common.clock import Clock
from dragonfly_common.discovery import Discovery, LookUp, check_address
from dragonfly_common.errors import AddressError

__all__ = ["Binding"]

logger = structlog.get_logger()

_Packed = tuple[bytes, bytes]


class Binding:
    """One socket, and the addresses at which it can be found."""

    def __init__(
        self,
        address: str,
        look_up: LookUp,
        keys: Keys | None,
        clock: Clock,
        on_asked: Callable[[], None],
    ) -> None:
        """Bind `address`; what a host name stands for is bound by `follow`, when it is known.

        `on_asked` is called when a subscriber said something of which `fileno` may tell no more.
        With `keys`, tcp is encrypted and only whom they trust gets in.

        Raises:
            AddressError: the address is malformed, taken, or cannot be bound here.
        """
        self._told = check_address(address)
        self._on_asked = on_asked
        self._bound: dict[str, str] = {}
        self._followed: frozenset[str] = frozenset()
        self._complained = False
        if address.startswith("ipc://"):
            _refuse_if_taken(Path(address[6:]), address)
        self.socket = options.new_publisher(address)
        secured = keys if address.startswith("tcp://") else None
        self._subscriptions = Subscriptions(clock)
        self._gate = Gate(self.socket, secured, clock) if secured else None
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
        return " ".join(self._bound.values()) or self._told

    def pack(self, said: Delivery) -> _Packed | None:
        """Return a message as it is sent, None where it is too large for any subscriber."""
        payload = codec.encode_message(said.publisher, said.epoch, said.seq, said.ts_pub, said.body)
        if len(payload) > options.MAX_STATE_BYTES:
            # A subscriber would hang up on it, come back, be answered with it, and hang up again.
            return None
        return said.topic.encode(), payload

    def send(self, packed: _Packed) -> None:
        """Send to whoever subscribed."""
        counters.BUS_PUBLISHED.count += 1
        options.send(self.socket, *packed)
        if self.pending():
            self._on_asked()

    def next_asked(self) -> bytes | None:
        """Return what a subscriber says next: b"\x01" or b"\x00" and a prefix; None: nothing."""
        while self.pending():
            frame = self.socket.recv(zmq.NOBLOCK, copy=False)
            if self._subscriptions.admit(frame):
                return frame.bytes
        return None

    def pending(self) -> bool:
        """Say whether subscribers said something."""
        return options.readable(self.socket)

    def sockets(self) -> list[zmq.Socket[bytes]]:
        return [self.socket]

    def fileno(self) -> int | None:
        """Return the descriptor that tells of what subscribers say, None where a call does."""
        return options.descriptor(self.socket)

    def follow(self) -> None:
        """Bind what the name stands for now and nothing else."""
        try:
            self._rebind()
            self._complained = False
        except AddressError as error:
            if not self._complained:
                self._complained = True
                logger.warning("bus not bound", address=self._told, reason=str(error))

    def guard(self) -> None:
        """See who came in and who was refused."""
        if self._gate:
            self._gate.look()

    def close(self, linger_ms: int = 0) -> None:
        self._discovery.close()
        if self._gate:
            self._gate.close()
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


def _refuse_if_taken(path: Path, address: str) -> None:
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
