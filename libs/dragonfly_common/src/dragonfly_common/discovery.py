"""From what a person wrote to the addresses that sockets connect to."""

from __future__ import annotations

import re
from typing import Final

from dragonfly_common.errors import AddressError

__all__ = ["check_address", "resolve"]

_SHAPES: Final = {
    "ipc": (re.compile(r"ipc://.+"), "ipc:///path/to/socket"),
    "tcp": (
        re.compile(r"tcp://[^:/\s]+:\d{1,5}|tcp://\[[0-9a-fA-F:]+\]:\d{1,5}"),
        "tcp://host:5551",
    ),
    "inproc": (re.compile(r"inproc://.+"), "inproc://name"),
}
_PORT_ZERO: Final = re.compile(r"^tcp://.*:0+$")
# sun_path holds 108 bytes with its closing zero.
_MAX_IPC_BYTES: Final = 107


def check_address(text: str) -> str:
    """Return `text` if it is an address of the bus.

    Raises:
        AddressError: it is not; the sentence shows the form.
    """
    shape, example = _SHAPES.get(text.partition("://")[0], (None, ""))
    if shape is None:
        raise AddressError(
            f"{text!r} is not a bus address: write ipc:///path, tcp://host:port or inproc://name"
        )
    if not shape.fullmatch(text) or (
        text.startswith("tcp://") and int(text.rpartition(":")[2]) > 65535
    ):
        raise AddressError(f"{text!r} is not a bus address: write it like {example}")
    if text.startswith("ipc://") and len(text[6:].encode()) > _MAX_IPC_BYTES:
        raise AddressError(
            f"{text!r} is too long for a socket: its path may have {_MAX_IPC_BYTES} bytes"
        )
    return text


def resolve(upstream: str) -> tuple[str, ...]:
    """Return the addresses that an upstream stands for at this moment.

    One today: the one given. A host name of several addresses becomes several here, and
    `Subscriber.follow` connects and disconnects accordingly.

    Raises:
        AddressError: it is not an address of the bus, or one that only a publisher can bind.
    """
    if check_address(upstream).startswith(("tcp://*:", "ipc://*")) or _PORT_ZERO.search(upstream):
        raise AddressError(
            f"{upstream!r} is an address to bind: an upstream names one host and its port, or one "
            "path"
        )
    return (upstream,)
