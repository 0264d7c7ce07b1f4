"""What a socket's monitor says about connections that failed to begin, as a counter's label."""

from __future__ import annotations

from typing import Final, NamedTuple

import zmq
from zmq.utils.monitor import parse_monitor_message

from dragonfly_common.bus.options import readable

__all__ = ["FAILURES", "Event", "next_event"]

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
    """An event, and what failed if it is a failure.

    `auth`: the key was refused. `wrong_server_key`: the subscriber expected another publisher; it
    sees `no_detail` itself. `mechanism`: one side uses keys and the other does not. `protocol`: one
    side does not speak ZeroMQ. `no_detail`: the other side hung up.
    """

    kind: int
    value: int
    failure: str | None


def next_event(monitor: zmq.Socket[bytes]) -> Event | None:
    """Return the next event of a monitor, None when there is none."""
    if not readable(monitor):
        return None
    said = parse_monitor_message(monitor.recv_multipart(zmq.NOBLOCK))
    kind, value = int(said["event"]), int(said["value"])
    return Event(kind, value, _failure(kind, value))


def _failure(kind: int, value: int) -> str | None:
    if kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "auth"
    if kind == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return _PROTOCOL_ERRORS.get(value, "protocol")
    if kind == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return "no_detail"
    return None
