"""Every ZeroMQ option that this system sets, in one place, each with its reason."""

from __future__ import annotations

from typing import Final

import zmq

__all__ = [
    "BEAT_INTERVAL_S",
    "BYE_LINGER_MS",
    "LATE_FOR_S",
    "LATE_LIMIT_S",
    "MAX_STATE_BYTES",
    "MUTE_LIMIT_S",
    "SILENCE_LIMIT_S",
    "descriptor",
    "new_publisher",
    "new_subscriber",
    "readable",
    "receive",
    "send",
]

_Options = dict[zmq.SocketOption, int]

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


# As plain numbers: combining flags of their own type costs as much as a send.
_FIRST: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
_LAST: Final = int(zmq.NOBLOCK)
_READABLE: Final = int(zmq.POLLIN)


def new_publisher(address: str) -> zmq.Socket[bytes]:
    return _new(zmq.XPUB, _PUBLISHER, address)


def new_subscriber(address: str) -> zmq.Socket[bytes]:
    return _new(zmq.SUB, _SUBSCRIBER, address)


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
