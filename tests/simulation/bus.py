"""ZeroMQ's sockets on the simulated network: XPUB, SUB and their monitors, as the bus uses them.

All above them is the production code: `Publisher`, `Subscriber`, `ZmqUpstream`, envelopes, codec.
What is imitated is what its comments rely on: a SUB counts its subscriptions, passes each on and of
the unsubscriptions only the last; a verbose XPUB tells of each subscription, and of an
unsubscription or a lost subscriber only when it was the last of its prefix; who connects sends all
subscriptions; a connection that ends raises DISCONNECTED and is dialled again; what had arrived
stays readable.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import zmq
from dragonfly_common.bus import subscriber, zmq_sockets

from simulation.network import Network, Wire
from simulation.virtual import Process, current_process

__all__ = ["Switchboard", "install"]

FIRST_RETRY_S: Final = 0.02
LONGEST_RETRY_S: Final = 0.2

_Message = tuple[bytes, bytes]


class _Frame(NamedTuple):
    bytes: bytes
    more: bool

    def get(self, option: int | str) -> int:
        """Have no connection to name."""
        raise zmq.ZMQError(zmq.EINVAL)


class _Socket(ABC):
    """What all sockets have: options that nobody reads, and an edge when something arrives."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.is_closed = False
        self.on_edge: Callable[[], None] | None = None

    def setsockopt(self, option: int, value: object) -> None:
        """Take an option; nothing that is imitated here depends on one."""
        del option, value

    @abstractmethod
    def readable(self) -> bool:
        """Say whether something waits to be received."""

    def _rise(self) -> None:
        if self.on_edge is not None:
            self.process.poke(self.on_edge)


class _Monitor(_Socket):
    """Tells of disconnections."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self._events: deque[int] = deque()

    def tell(self, event: int) -> None:
        self._events.append(event)
        self._rise()

    def readable(self) -> bool:
        return bool(self._events)

    def recv_multipart(self, flags: int) -> list[bytes]:
        return [struct.pack("=hi", self._events.popleft(), 0), b""]

    def close(self) -> None:
        self.is_closed = True


class _Subscriber(_Socket):
    """A SUB that connects to one address."""

    def __init__(self, process: Process, board: Switchboard) -> None:
        super().__init__(process)
        self.inbox: deque[_Message] = deque()
        self._board = board
        self._prefixes: Counter[str] = Counter()
        self._wanted: tuple[bytes, ...] = ()
        self._wire: Wire[Any] | None = None
        self._second: bytes | None = None
        self._monitor = _Monitor(process)
        self._address = ""
        self._retry_s = FIRST_RETRY_S

    def get_monitor_socket(self, events: int) -> _Monitor:
        return self._monitor

    def disable_monitor(self) -> None:
        pass

    def connect(self, address: str) -> None:
        self._address = address
        self._board.dial(self, address)

    def subscribe(self, prefix: str) -> None:
        self._prefixes[prefix] += 1
        self._pass_on(b"\x01", prefix)

    def unsubscribe(self, prefix: str) -> None:
        self._prefixes[prefix] -= 1
        if not self._prefixes[prefix]:
            del self._prefixes[prefix]
            self._pass_on(b"\x00", prefix)

    def readable(self) -> bool:
        if self._second is not None:
            return True
        while self.inbox:
            if self.inbox[0][0].startswith(self._wanted):
                return True
            self.inbox.popleft()
        return False

    def recv(self, flags: int, copy: bool = True) -> _Frame:
        if self._second is not None:
            payload, self._second = self._second, None
            return _Frame(payload, more=False)
        if not self.readable():
            raise zmq.Again
        topic, self._second = self.inbox.popleft()
        return _Frame(topic, more=True)

    def close(self, linger: int | None = None) -> None:
        self.is_closed = True
        self.inbox.clear()
        if self._wire is not None:
            self._wire.hang_up(self.process)
            self._wire = None

    def redial(self) -> None:
        """Nobody was there: try again, less often each time."""
        retry_s, self._retry_s = self._retry_s, min(LONGEST_RETRY_S, self._retry_s * 2)
        self._board.network.schedule.after(retry_s, lambda: self._board.dial(self, self._address))

    def establish(self, wire: Wire[Any]) -> None:
        """Take a connection, and send all subscriptions."""
        self._wire = wire
        self._retry_s = FIRST_RETRY_S
        wire.down.receive = self._receive
        wire.down.on_end = self._lose
        for prefix in sorted(self._prefixes):
            wire.up.send(b"\x01" + prefix.encode())

    def _receive(self, message: _Message) -> None:
        self.inbox.append(message)
        self._rise()

    def _lose(self) -> None:
        self._wire = None
        if not self.is_closed and self.process.alive:
            self._monitor.tell(int(zmq.EVENT_DISCONNECTED))
            self.redial()

    def _pass_on(self, kind: bytes, prefix: str) -> None:
        self._wanted = tuple(known.encode() for known in self._prefixes)
        if self._wire is not None:
            self._wire.up.send(kind + prefix.encode())


class _Publisher(_Socket):
    """A verbose XPUB."""

    def __init__(self, process: Process, board: Switchboard) -> None:
        super().__init__(process)
        self._board = board
        self._told: deque[bytes] = deque()
        self._wires: dict[Wire[Any], dict[bytes, None]] = {}
        self._filters: dict[Wire[Any], tuple[bytes, ...]] = {}
        self._address = ""
        self._topic = b""

    def bind(self, address: str) -> None:
        self._address = address
        self._board.bound[address] = self

    def unbind(self, address: str) -> None:
        self._board.bound.pop(address, None)

    def getsockopt_string(self, option: int) -> str:
        assert option == zmq.LAST_ENDPOINT
        return self._address

    def accept(self, wire: Wire[Any]) -> None:
        self._wires[wire] = {}
        self._filters[wire] = ()
        wire.up.receive = lambda told: self._hear(wire, told)
        wire.up.on_end = lambda: self._lose(wire)

    def send(self, part: bytes, flags: int) -> None:
        if flags & zmq.SNDMORE:
            self._topic = part
            return
        topic = self._topic
        for wire, prefixes in self._filters.items():
            if topic.startswith(prefixes):
                wire.down.send_in_weather((topic, part), topic)

    def readable(self) -> bool:
        return bool(self._told)

    def recv(self, flags: int, copy: bool = True) -> _Frame:
        return _Frame(self._told.popleft(), more=False)

    def close(self, linger: int | None = None) -> None:
        self.is_closed = True
        if self._board.bound.get(self._address) is self:
            del self._board.bound[self._address]
        for wire in self._wires:
            wire.hang_up(self.process)
        self._wires.clear()
        self._filters.clear()

    def _hear(self, wire: Wire[Any], told: bytes) -> None:
        prefixes, prefix = self._wires.get(wire), told[1:]
        if prefixes is None:
            return
        if told[:1] == b"\x01":
            prefixes[prefix] = None
            self._told.append(told)
        elif prefix in prefixes:
            del prefixes[prefix]
            self._tell_of_last([prefix])
        self._filters[wire] = tuple(prefixes)
        self._rise()

    def _lose(self, wire: Wire[Any]) -> None:
        self._filters.pop(wire, None)
        self._tell_of_last(self._wires.pop(wire, {}))
        self._rise()

    def _tell_of_last(self, prefixes: Iterable[bytes]) -> None:
        for prefix in prefixes:
            if not any(prefix in others for others in self._wires.values()):
                self._told.append(b"\x00" + prefix)


class Switchboard:
    """Who is bound where."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.bound: dict[str, _Publisher] = {}

    def new_publisher(self) -> _Publisher:
        return _Publisher(current_process(), self)

    def new_subscriber(self) -> _Subscriber:
        return _Subscriber(current_process(), self)

    def dial(self, caller: _Subscriber, address: str) -> None:
        """Connect `caller` once somebody is there, in reach, and both of them move."""
        if caller.is_closed or not caller.process.alive:
            return
        callee = self.bound.get(address)
        if callee is None or not self._in_reach(caller, callee):
            caller.redial()
            return
        handshake_s = 4 * self.network.weather.delay_s
        self.network.schedule.after(handshake_s, lambda: self._join(caller, callee))

    def _join(self, caller: _Subscriber, callee: _Publisher) -> None:
        if caller.is_closed or not caller.process.alive:
            return
        if callee.is_closed or not self._in_reach(caller, callee):
            caller.redial()
            return
        wire: Wire[Any] = Wire(self.network, caller.process, callee.process)
        callee.accept(wire)
        caller.establish(wire)

    def _in_reach(self, caller: _Subscriber, callee: _Publisher) -> bool:
        one, other = caller.process, callee.process
        moves = other.alive and not (one.paused or other.paused)
        return moves and not self.network.is_cut(frozenset((one.name, other.name)))


class _SocketPoller:
    """Stands for `zmq_sockets.SocketPoller`; it and sockets are their own descriptors."""

    def __init__(self) -> None:
        self.on_edge: Callable[[], None] | None = None
        self._owners: dict[_Socket, Any] = {}

    def add(self, socket: _Socket, owner: object) -> None:
        self._owners[socket] = owner
        socket.on_edge = self._wake

    def remove(self, socket: _Socket) -> None:
        del self._owners[socket]
        socket.on_edge = None

    def ready(self) -> list[object]:
        return [*{owner: None for socket, owner in self._owners.items() if socket.readable()}]

    def fileno(self) -> _SocketPoller:
        return self

    def readable(self) -> bool:
        return any(socket.readable() for socket in self._owners)

    def close(self) -> None:
        pass

    def _wake(self) -> None:
        if self.on_edge is not None:
            self.on_edge()


def install(board: Callable[[], Switchboard]) -> None:
    """Let the bus of this Python process open its sockets at `board()`, for good."""
    replaced: dict[str, Callable[..., Any]] = {
        "new_publisher": lambda _: board().new_publisher(),
        "new_subscriber": lambda _: board().new_subscriber(),
        "readable": lambda socket: socket.readable(),
        "descriptor": lambda socket: socket,
        "SocketPoller": _SocketPoller,
    }
    for name, function in replaced.items():
        for module in (zmq_sockets, subscriber):
            if hasattr(module, name):
                setattr(module, name, function)
