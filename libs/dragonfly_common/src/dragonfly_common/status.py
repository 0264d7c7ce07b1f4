"""The page that machines read: `/metrics`, `/healthz` (it runs), `/readyz` (it has fresh data)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BufferedIOBase
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from dragonfly_common.errors import AddressError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["StatusServer", "check_free", "split_host_port"]

# How long closing may take; the base class's half a second is a quarter of what an exit may take.
POLL_INTERVAL_S: Final = 0.1
MOST_CONNECTIONS: Final = 32
"""One more, and the oldest is hung up on: probes are young."""
WHOLE_LIMIT_S: Final = 5.0
"""From the connection to the end of its answer."""
MOST_REQUEST_BYTES: Final = 16 * 1024


def split_host_port(text: str) -> tuple[str, int]:
    """Return ("127.0.0.1", 9100) of `127.0.0.1:9100`.

    Raises:
        AddressError: it is not HOST:PORT.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise AddressError(
            f"{text!r} is not an address: write HOST:PORT, for example 127.0.0.1:9100"
        )
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":9100" asks for all interfaces


def check_free(whom: str, address: str, option: str) -> None:
    """Look whether `whom` (bots, customers, pages) can be served at HOST:PORT now.

    Raises:
        AddressError: it is malformed, taken, or not this machine's; `option` gives another.
    """
    host, port = split_host_port(address)
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        raise AddressError(
            f"cannot serve {whom} on {address}: {error.strerror}; choose another {option}"
        ) from None


class StatusServer:
    """Serves the three pages from a thread of its own, so that a busy loop still answers."""

    def __init__(self, address: str, unready: Callable[[], str | None]) -> None:
        """Bind `address`; `unready` returns why the process is not ready, or None when it is.

        Raises:
            AddressError: the address is malformed or taken.
        """
        host, port = split_host_port(address)
        self._unready = unready
        self._metrics = make_wsgi_app()
        try:
            self._server = make_server(
                host,
                port,
                self._app,
                server_class=_Server6 if ":" in host else _Server,
                handler_class=_QuietHandler,
            )
        except OSError as error:
            raise AddressError(
                f"cannot serve the status page on {address}: {error.strerror}; choose another"
            ) from None
        self.address = f"{address.rpartition(':')[0] or host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_INTERVAL_S,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            pages: Iterable[bytes] = self._metrics(environ, start_response)
            return pages
        unready = self._unready() if path == "/readyz" else None
        if path not in {"/healthz", "/readyz"}:
            status, text = "404 Not Found", "there are /metrics, /healthz and /readyz"
        elif unready:
            status, text = "503 Service Unavailable", unready
        else:
            status, text = "200 OK", "ok"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode() + b"\n"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._opened: dict[socket.socket, float] = {}
        super().__init__(*arguments, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._opened[request] = time.monotonic()
        self._hang_up(list(self._opened)[:-MOST_CONNECTIONS])
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._opened.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        since = time.monotonic() - WHOLE_LIMIT_S
        self._hang_up([one for one, opened in list(self._opened.items()) if opened < since])

    def _hang_up(self, connections: Iterable[socket.socket]) -> None:
        """Let the threads of `connections` see their end, and close them."""
        for connection in connections:
            self._opened.pop(connection, None)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        # Not the base class's, which asks the name service for this host's name.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a probe that hangs up or never asks is no event."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    timeout = 5

    def setup(self) -> None:
        super().setup()
        self.rfile = _Head(self.rfile)  # type: ignore[assignment] # all that is asked of it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: a probe every second is no event."""


class _Head:
    """The head of a request, cut where it is too long."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._left = MOST_REQUEST_BYTES

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(min(limit, self._left))
        self._left -= len(line)
        return line

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        self._file.close()
