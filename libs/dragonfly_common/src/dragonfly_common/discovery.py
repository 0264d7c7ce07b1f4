"""From what a person wrote to the addresses that sockets connect to and bind, again every second.

A host name stands for all its addresses. Looking one up may block for seconds, so each name has a
thread of its own that does nothing else; a loop sees what it found by looking at an attribute. A
name that cannot be looked up now keeps its addresses: a hiccup of the name service ends nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Final

import structlog

from dragonfly_common import counters
from dragonfly_common.errors import AddressError

__all__ = [
    "Discovery",
    "LookUp",
    "OwnAddresses",
    "check_address",
    "check_upstream",
    "is_loopback",
    "is_own",
    "look_up",
]

LookUp = Callable[[str], Collection[str]]
"""Returns the IP addresses of a host name; raises OSError when there is no answer."""

LOOK_UP_INTERVAL_S: Final = 1.0

# Bytes of a command line that are no text come as surrogates, of which no address is made.
_TEXT: Final = r"[^\n\x00\ud800-\udfff]+"
_SHAPES: Final = {
    "ipc": (re.compile(rf"ipc://{_TEXT}"), "ipc:///path/to/socket"),
    "tcp": (
        re.compile(r"tcp://(?:\*|[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", re.ASCII),
        "tcp://host:5551",
    ),
    "inproc": (re.compile(rf"inproc://{_TEXT}"), "inproc://name"),
}
_PORT_ZERO: Final = re.compile(r"^tcp://.*:0+$")
# sun_path holds 108 bytes with its closing zero.
_MAX_IPC_BYTES: Final = 107

logger = structlog.get_logger()


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


def check_upstream(text: str) -> str:
    """Return `text` if it is an address of the bus that can be connected to.

    Raises:
        AddressError: it is not, or one that only a publisher can bind.
    """
    if check_address(text).startswith(("tcp://*:", "ipc://*")) or _PORT_ZERO.search(text):
        raise AddressError(
            f"{text!r} is an address to bind: an upstream names one host and its port, or one path"
        )
    return text


def look_up(host: str) -> Collection[str]:
    """Return the IPv4 addresses of `host`, or where it has none its IPv6 addresses.

    Not both: they are two ways to the same processes, and `localhost` often has an IPv6 address
    that nobody binds.

    Raises:
        OSError: the name service has no answer.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    by_family: dict[int, set[str]] = {}
    for family, _, _, _, address in found:
        by_family.setdefault(family, set()).add(str(address[0]))
    return by_family.get(socket.AF_INET) or by_family.get(socket.AF_INET6, set())


def is_loopback(address: str) -> bool:
    """Say whether HOST:PORT or an address of the bus is reached from this machine only.

    A name other than `localhost` is one by which others find it.
    """
    kind, _, place = address.rpartition("://")
    host = place.rpartition(":")[0].strip("[]")
    if kind not in {"", "tcp"} or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_own(address: str) -> bool:
    """Say whether an IP address is this machine's: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


class OwnAddresses:
    """Looks up a name, and of its addresses returns those that are this machine's own.

    One that was found stays for as long as it is: an orchestrator takes the name away from a
    process that begins to stop, while others still listen to it.

    Raises:
        OSError: there is none.
    """

    def __init__(self, look_up: LookUp = look_up, is_own: Callable[[str], bool] = is_own) -> None:
        self._look_up = look_up
        self._is_own = is_own
        self._found: frozenset[str] = frozenset()

    def __call__(self, host: str) -> Collection[str]:
        known = self._found.union(self._look_up(host))
        self._found = frozenset(filter(self._is_own, known))
        if not self._found:
            raise OSError(f"none of {', '.join(sorted(known))} is an address of this machine")
        return self._found


class Discovery:
    """Follows the addresses that some texts stand for, until closed."""

    def __init__(self, texts: Iterable[str], look_up: LookUp = look_up) -> None:
        """Begin to look up the host names in `texts`, which are addresses of the bus."""
        self._look_up = look_up
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._found: dict[str, frozenset[str]] = {}
        names = {}
        for text in texts:
            if name := _host_name(text):
                names[text] = name
            else:
                self._found[text] = frozenset({text})
        self._expected = len(self._found) + len(names)
        self.addresses: frozenset[str] = frozenset().union(*self._found.values())
        """All that is known now; another object whenever it changes."""
        for text, name in names.items():
            threading.Thread(
                target=self._follow, args=(text, name), name=f"look up {name}", daemon=True
            ).start()

    @property
    def complete(self) -> bool:
        """Each name was found at least once."""
        return len(self._found) == self._expected

    def close(self) -> None:
        """End the threads; one that waits for the name service ends when that answers."""
        self._closed.set()

    def _follow(self, text: str, name: str) -> None:
        failing = False
        while not self._closed.is_set():
            try:
                found = self._look_up(name)
            except (OSError, UnicodeError) as error:
                counters.NAME_FAILURES.inc()
                if not failing:
                    logger.warning("name not found", name=name, reason=str(error))
                failing = True
            else:
                failing = False
                self._take(text, found)
            self._closed.wait(LOOK_UP_INTERVAL_S)

    def _take(self, text: str, found: Collection[str]) -> None:
        port = text.rpartition(":")[2]
        addresses = frozenset(
            f"tcp://[{one}]:{port}" if ":" in one else f"tcp://{one}:{port}" for one in found
        )
        with self._lock:
            if addresses == self._found.get(text):
                return
            self._found[text] = addresses
            self.addresses = frozenset().union(*self._found.values())
        logger.info("name found", address=text, addresses=sorted(addresses))


def _host_name(text: str) -> str | None:
    """Return the host name in an address of the bus, None where it has none to look up."""
    kind, _, rest = text.partition("://")
    host = rest.rpartition(":")[0]
    if kind != "tcp" or host == "*" or host.startswith("["):
        return None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return None
