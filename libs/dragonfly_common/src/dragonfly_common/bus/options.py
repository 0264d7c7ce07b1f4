"""Every ZeroMQ option that this system sets, in one place, each with its reason."""

from __future__ import annotations

from typing import Final

import zmq

__all__ = [
    "BEAT_INTERVAL_S",
    "BYE_LINGER_MS",
    "SILENCE_LIMIT_S",
    "new_publisher",
    "new_subscriber",
    "readable",
]

_Options = dict[zmq.SocketOption, int]

BEAT_INTERVAL_S: Final = 0.25
SILENCE_LIMIT_S: Final = 1.0
"""Four beats missed: the publisher is dead or frozen."""

BYE_LINGER_MS: Final = 100
"""How long a publisher's last words may take to leave."""

# A Book of 20 levels is about 800 bytes, the instrument list of the largest venue about 40 KiB.
MAX_STATE_BYTES: Final = 1 << 20
# A publisher receives only subscriptions.
MAX_SUBSCRIPTION_BYTES: Final = 1024

# About a second of a busy venue. The consumer drains everything and keeps the newest per topic;
# what overflows is dropped by the publisher, found by the digest of its beat and asked for again.
STATE_HWM: Final = 10_000
# Subscriptions are messages too, and must never be dropped.
UNLIMITED: Final = 0

_COMMON: Final[_Options] = {
    zmq.LINGER: 0,  # nobody waits for a peer at exit
    zmq.RECONNECT_IVL: 20,
    zmq.RECONNECT_IVL_MAX: 200,  # a restarted peer is found within 200 ms
    zmq.HANDSHAKE_IVL: 3000,
    zmq.HEARTBEAT_IVL: 1000,  # a half-open peer's pipe is given up
    zmq.HEARTBEAT_TIMEOUT: 3000,
    zmq.HEARTBEAT_TTL: 3000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.IPV6: 1,
}
_PUBLISHER: Final[_Options] = {
    zmq.XPUB_VERBOSE: 1,  # the second subscriber of a topic needs its last value too
    zmq.SNDHWM: STATE_HWM,
    zmq.RCVHWM: UNLIMITED,
    zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
}
_SUBSCRIBER: Final[_Options] = {
    zmq.SNDHWM: UNLIMITED,
    zmq.RCVHWM: STATE_HWM,
    zmq.MAXMSGSIZE: MAX_STATE_BYTES,
}


def new_publisher() -> zmq.Socket[bytes]:
    return _new(zmq.XPUB, _PUBLISHER)


def new_subscriber() -> zmq.Socket[bytes]:
    return _new(zmq.SUB, _SUBSCRIBER)


def readable(socket: zmq.Socket[bytes]) -> bool:
    """Say whether a receive would return at once."""
    events = socket.getsockopt(zmq.EVENTS)
    assert isinstance(events, int)
    return bool(events & zmq.POLLIN)


def descriptor(socket: zmq.Socket[bytes]) -> int:
    """Return the file descriptor whose edge says that something happened."""
    number = socket.getsockopt(zmq.FD)
    assert isinstance(number, int)
    return number


def _new(kind: int, options: _Options) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    for option, value in (_COMMON | options).items():
        socket.setsockopt(option, value)
    return socket
