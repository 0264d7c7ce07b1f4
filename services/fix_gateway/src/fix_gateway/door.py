"""Where customers come in: who has not logged on is a stranger, and strangers are few and slow.

A connection that ends without a Logon that was accepted is a failure of its address. The next
connections of that address wait before anything of them is read, longer with each failure, and of
one address few strangers are let wait. So somebody who guesses disturbs nobody who is logged on,
and takes no place of those who come from elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.errors import AddressError
from dragonfly_common.pace import SayOnce
from dragonfly_common.status import split_host_port
from dragonfly_views.places import network_of, normal_address

from fix_gateway import counters

__all__ = ["Door", "Visit"]

HANDSHAKE_LIMIT_S: Final = 5.0
MOST_STRANGERS: Final = 16
"""Of one address; of IPv6, of one network of 64 bits."""
MOST_UNSENT_BYTES: Final = 4096
"""Of a connection, in the kernel: a book that was not sent yet is better replaced."""
LEAST_WAIT_S: Final = 0.1
MOST_WAIT_S: Final = 5.0
FORGOTTEN_AFTER_S: Final = 60.0
MOST_REMEMBERED: Final = 4096
SAY_AGAIN_AFTER_S: Final = 10.0
BACKLOG: Final = 128

logger = structlog.get_logger()


class Visit:
    """One connection that came in."""

    def __init__(self, door: Door, peer: str, network: str) -> None:
        self.peer = peer
        self.network = network
        self._door = door
        self._stranger = True

    def welcome(self) -> None:
        """Take note that it is logged on."""
        if self._stranger:
            self._stranger = False
            self._door.no_stranger(self, failed=False)

    def over(self) -> None:
        """Take note that it is closed."""
        if self._stranger:
            self._stranger = False
            self._door.no_stranger(self, failed=True)


class Door:
    """Accepts connections."""

    def __init__(
        self,
        make: Callable[[Visit], asyncio.BufferedProtocol],
        clock: Clock,
        *,
        tls: Callable[[], ssl.SSLContext] | None,
        most: int,
    ) -> None:
        """Let connections in.

        Args:
            make: what serves a connection; it tells the visit when it is logged on, and over.
            clock: the time.
            tls: returns the newest certificates; None serves in the clear.
            most: connections at a time that have not logged on, of all addresses together.
        """
        self._make = make
        self._clock = clock
        self._tls = tls
        self._most = most
        self._strangers: Counter[str] = Counter()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Of a network: how many, and when the last one was."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._once = SayOnce(SAY_AGAIN_AFTER_S)
        self._unsaid = 0

    def open(self, bind: str) -> str:
        """Listen at HOST:PORT, and return it with the port that it became.

        Raises:
            AddressError: it is malformed, taken, or not this machine's.
        """
        host, port = split_host_port(bind)
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._socket = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            why = str(error.strerror).partition(" (")[0]  # where Python adds the address
            raise AddressError(
                f"cannot serve customers on {bind}: {why}; choose another --bind"
            ) from None
        # Those that come in have it too.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)
        self._socket.setblocking(False)
        self._start(self._accept(self._socket))
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{self._socket.getsockname()[1]}"

    async def close(self) -> None:
        """Let nobody in any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    def no_stranger(self, visit: Visit, *, failed: bool) -> None:
        """Take note that a visit is logged on, or over without it."""
        self._strangers[visit.network] -= 1
        if not self._strangers[visit.network]:
            del self._strangers[visit.network]
        if not failed:
            return
        counters.LOGONS_REFUSED.inc()
        count, _ = self._failures.pop(visit.network, (0, 0.0))
        self._failures[visit.network] = (count + 1, self._clock.monotonic())
        if len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)

    def wait_s(self, network: str) -> float:
        """Return how long a connection of a network waits before it is read."""
        count, last = self._failures.get(network, (0, 0.0))
        if not count:
            return 0.0
        if self._clock.monotonic() - last > FORGOTTEN_AFTER_S:
            del self._failures[network]
            return 0.0
        return min(LEAST_WAIT_S * count, MOST_WAIT_S)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                end, address = await loop.sock_accept(listening)
            except OSError as error:
                logger.warning("no connection accepted", reason=error.strerror)
                await asyncio.sleep(1.0)
                continue
            host = normal_address(address[0])
            visit = Visit(self, f"{host}:{address[1]}", network_of(host))
            if (
                self._strangers[visit.network] >= MOST_STRANGERS
                or self._strangers.total() >= self._most
            ):
                self._refuse(end)
            else:
                self._strangers[visit.network] += 1
                self._start(self._let_in(end, visit))

    def _refuse(self, end: socket.socket) -> None:
        end.close()
        counters.CONNECTIONS_REFUSED.inc()
        self._unsaid += 1
        if self._once.due(self._clock.monotonic()):
            reason = "too many connections had not logged on"
            logger.warning("connections closed", count=self._unsaid, reason=reason)
            self._unsaid = 0

    async def _let_in(self, end: socket.socket, visit: Visit) -> None:
        try:
            await asyncio.sleep(self.wait_s(visit.network))
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._make(visit),
                end,
                ssl=self._tls and self._tls(),
                ssl_handshake_timeout=HANDSHAKE_LIMIT_S if self._tls else None,
            )
        except (OSError, TimeoutError) as error:  # of ssl too
            counters.HANDSHAKES_REFUSED.inc()
            logger.debug("handshake refused", peer=visit.peer, reason=str(error))
            end.close()
            visit.over()
        except asyncio.CancelledError:
            end.close()
            raise

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
