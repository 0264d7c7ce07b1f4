"""ZeroMQ's sockets as the bus uses them: options with their reasons, monitors, polling many."""

from __future__ import annotations

import select
from typing import Final, Generic, NamedTuple, TypeVar

import zmq
from zmq.utils.monitor import parse_monitor_message

from dragonfly_common.bus.transport import MAX_STATE_BYTES

__all__ = [
    "FAILURES",
    "Event",
    "SocketPoller",
    "descriptor",
    "new_dealer",
    "new_publisher",
    "new_router",
    "new_subscriber",
    "next_event",
    "readable",
    "receive",
    "send",
]

T = TypeVar("T")

_Options = dict[zmq.SocketOption, int]

# A publisher receives only subscriptions, and what begins a connection: 300 bytes with keys.
MAX_SUBSCRIPTION_BYTES: Final = 512
# Subscriptions that wait to be taken: a peer that sends faster waits, and none is dropped. ZeroMQ
# takes all there are in one go, so that few may be there.
SUBSCRIPTION_HWM: Final = 16
SUBSCRIPTION_BUFFER_BYTES: Final = 1 << 14

# About a second of a busy venue. The consumer drains everything and keeps the newest per topic;
# what overflows is dropped by the publisher, found by the digest of its beat and asked for again.
STATE_HWM: Final = 10_000
# Subscriptions are messages too, and must never be dropped by who sends them.
UNLIMITED: Final = 0

_COMMON: Final[_Options] = {
    zmq.LINGER: 0,  # nobody waits for a peer at exit
    zmq.RECONNECT_IVL: 20,
    zmq.RECONNECT_IVL_MAX: 200,  # a restarted peer is found within 200 ms
    zmq.HANDSHAKE_IVL: 3000,
    # A half-open peer's pipe is given up by TCP. Never by ZMTP's heartbeats: a receiver whose queue
    # is full reads none, loses a peer that is well, and libzmq 4.3.5 may abort the process over
    # a ping that waits behind the queue (its issues 4364 and 3937).
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 1,
    zmq.TCP_KEEPALIVE_INTVL: 1,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.TCP_MAXRT: 3000,
}
_PUBLISHER: Final[_Options] = {
    zmq.XPUB_VERBOSE: 1,  # the second subscriber of a topic needs its last value too
    zmq.SNDHWM: STATE_HWM,
    zmq.RCVHWM: SUBSCRIPTION_HWM,
    zmq.RCVBUF: SUBSCRIPTION_BUFFER_BYTES,
    zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
}
_SUBSCRIBER: Final[_Options] = {
    zmq.SNDHWM: UNLIMITED,
    zmq.RCVHWM: STATE_HWM,
    zmq.MAXMSGSIZE: MAX_STATE_BYTES,
}


# An order's messages are acknowledged and repeated by their senders: queues may be short, and what
# does not fit is refused, never dropped unseen.
CHANNEL_HWM: Final = 1000
MAX_CHANNEL_BYTES: Final = 1 << 20
_CHANNEL: Final[_Options] = {
    zmq.SNDHWM: CHANNEL_HWM,
    zmq.RCVHWM: CHANNEL_HWM,
    zmq.MAXMSGSIZE: MAX_CHANNEL_BYTES,
}

# As plain numbers: combining flags of their own type costs as much as a send.
_FIRST: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
_LAST: Final = int(zmq.NOBLOCK)
_READABLE: Final = int(zmq.POLLIN)


def new_publisher(address: str) -> zmq.Socket[bytes]:
    return _new(zmq.XPUB, _PUBLISHER, address)


def new_subscriber(address: str) -> zmq.Socket[bytes]:
    return _new(zmq.SUB, _SUBSCRIBER, address)


def new_router(address: str) -> zmq.Socket[bytes]:
    return _new(zmq.ROUTER, _CHANNEL | {zmq.ROUTER_MANDATORY: 1}, address)


def new_dealer(address: str) -> zmq.Socket[bytes]:
    # Nothing waits for a connection that is not there: its sender repeats it anyway.
    return _new(zmq.DEALER, _CHANNEL | {zmq.IMMEDIATE: 1}, address)


def send(socket: zmq.Socket[bytes], topic: bytes, payload: bytes) -> None:
    """Send both parts. An XPUB never blocks: it drops for a subscriber whose pipe is full."""
    socket.send(topic, _FIRST)
    socket.send(payload, _LAST)


def receive(socket: zmq.Socket[bytes]) -> list[bytes]:
    """Return a message's parts without waiting; half the cost of `recv_multipart`.

    Raises:
        zmq.Again: there is none.
    """
    frame = socket.recv(_LAST, copy=False)
    parts = [frame.bytes]
    while frame.more:
        frame = socket.recv(_LAST, copy=False)
        parts.append(frame.bytes)
    return parts


def readable(socket: zmq.Socket[bytes]) -> bool:
    """Say whether a receive would return at once.

    ZeroMQ first takes what has come, which can last: other threads run on meanwhile, as they would
    not if this asked for the option EVENTS.
    """
    return bool(zmq.zmq_poll([(socket, _READABLE)], 0))


def descriptor(socket: zmq.Socket[bytes]) -> int:
    """Return the file descriptor whose edge says that something happened."""
    number = socket.getsockopt(zmq.FD)
    assert isinstance(number, int)
    return number


def _new(kind: int, options: _Options, address: str) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    # Only where it is written so: with it, a name that has any IPv6 address has no other, and
    # `localhost` often has one that nobody binds.
    socket.setsockopt(zmq.IPV6, int("[" in address))
    for option, value in (_COMMON | options).items():
        socket.setsockopt(option, value)
    return socket


# What monitors say

FAILURES: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
"""The events to monitor."""

_PROTOCOL_ERRORS: Final[dict[int, str]] = {
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: "wrong_server_key",
    zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: "mechanism",
}


class Event(NamedTuple):
    """An event of a socket: what failed, None where a connection ended.

    `auth`: the key was refused. `wrong_server_key`: the subscriber expected another publisher; it
    sees `no_detail` itself. `mechanism`: one side uses keys and the other does not. `protocol`: one
    side does not speak ZeroMQ. `no_detail`: the other side hung up.
    """

    failure: str | None


def next_event(monitor: zmq.Socket[bytes]) -> Event | None:
    """Return the next event of a monitor, None when there is none."""
    if not readable(monitor):
        return None
    said = parse_monitor_message(monitor.recv_multipart(zmq.NOBLOCK))
    kind, value = int(said["event"]), int(said["value"])
    return Event(_failure(kind, value))


def _failure(kind: int, value: int) -> str | None:
    if kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "auth"
    if kind == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return _PROTOCOL_ERRORS.get(value, "protocol")
    if kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return "no_detail"
    return None


# Many sockets at once


class SocketPoller(Generic[T]):
    """Each socket is ready for its owner, from when something arrived until all of it is read.

    ZeroMQ's descriptors are edge-triggered: a socket that was ready must be read until it has
    nothing more. What takes no reading, a subscription to pass on for example, changes nothing.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._owners: dict[int, T] = {}

    def add(self, socket: zmq.Socket[bytes], owner: T) -> None:
        number = descriptor(socket)
        self._owners[number] = owner
        self._epoll.register(number, select.EPOLLIN)

    def remove(self, socket: zmq.Socket[bytes]) -> None:
        """Forget a socket; before it is closed, for its descriptor's number is soon another's."""
        number = descriptor(socket)
        del self._owners[number]
        self._epoll.unregister(number)

    def ready(self) -> list[T]:
        """Return whose sockets are ready."""
        if not self._owners:
            return []
        return [*{self._owners[number]: None for number, _ in self._epoll.poll(0)}]

    def fileno(self) -> int:
        """Return what becomes readable when one is ready."""
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()
