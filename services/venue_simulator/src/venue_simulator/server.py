"""One port for everything: WebSockets, REST and the control page, told apart by their paths.

/<venue>/<the venue's own path>     WebSocket where the request asks for one, else REST
/control/<what>                     faults, subscriptions, steps
"""

from __future__ import annotations

import asyncio
import http
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from itertools import count
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import structlog
from dragonfly_common.errors import AddressError
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from venue_simulator.client import ConnectedClient
from venue_simulator.connection import MAX_REQUEST_BYTES, VenueConnection
from venue_simulator.exchange import Exchange
from venue_simulator.faults import FaultKind
from venue_simulator.refusals import refusal
from venue_simulator.venue import RestReply, RestRequest

__all__ = ["Address", "Control", "serve_exchanges"]

SLOW_REST_S: Final = 3.0
OPEN_TIMEOUT_S: Final = 60.0
"""Longer than any silence: a silent venue leaves a handshake unanswered."""
CLOSE_TIMEOUT_S: Final = 0.5
FIRST_CONNECTION_ID: Final = 13_834_774_380_200_032_777
"""Kraken's ids exceed what a double holds; ours do too."""

logger = structlog.get_logger()

Control = Callable[[str, Headers, str, Mapping[str, str]], RestReply]
"""Answers the control page: method, headers, path below `/control`, query."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens."""

    host: str
    port: int
    tls: bool

    def url(self, scheme: str, path: str) -> str:
        """Return `scheme://host:port/path`, the scheme with an s over TLS."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}{'s' if self.tls else ''}://{host}:{self.port}/{path}"


@asynccontextmanager
async def serve_exchanges(
    exchanges: Mapping[str, Exchange],
    control: Control,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
) -> AsyncIterator[Address]:
    """Listen until the context ends.

    Raises:
        AddressError: the address is taken, or not of this machine.
    """
    front = _Front(exchanges, control, "ws" if tls is None else "wss")
    serving = serve(
        front.serve_socket,
        host,
        port,
        ssl=tls,
        process_request=front.process_request,
        create_connection=VenueConnection,
        server_header=None,
        open_timeout=OPEN_TIMEOUT_S,
        ping_interval=None,  # each venue has its own rhythm
        close_timeout=CLOSE_TIMEOUT_S,
        max_size=MAX_REQUEST_BYTES,
        logger=_bugs_only(),
    )
    try:
        server = await serving
    except (OSError, OverflowError) as error:
        raise AddressError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}; "
            "choose another --port or --host"
        ) from None
    try:
        bound_host, bound_port = server.sockets[0].getsockname()[:2]
        yield Address(bound_host, bound_port, tls is not None)
    finally:
        for exchange in exchanges.values():
            exchange.audible.set()
            if exchange.private is not None:
                exchange.private.close()
        server.close()
        await server.wait_closed()


class _Front:
    """Sends each request to where it belongs."""

    def __init__(self, exchanges: Mapping[str, Exchange], control: Control, ws_scheme: str) -> None:
        self._exchanges = exchanges
        self._ws_scheme = ws_scheme
        self._control = control
        self._connection_ids = count(FIRST_CONNECTION_ID)

    async def process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        """Answer a plain request, or return None to go on with a WebSocket handshake."""
        try:
            place, path = _split(request.path)
        except ValueError:
            return _not_found(f"{request.path!r} is no path")
        if place == "control":
            parts = urlsplit(path)
            query = dict(parse_qsl(parts.query))
            return _response(self._control(request.method, request.headers, parts.path, query))
        exchange = self._exchanges.get(place)
        if exchange is None:
            return _not_found(f"no simulated venue {place!r} here")
        if exchange.faults.lasts(FaultKind.NOT_ACCEPTING):
            return await _refuse(connection)
        if (refused := refusal(exchange.faults)) is not None:
            return _response(refused)
        upgrades = (value.lower() for value in request.headers.get_all("Upgrade"))
        answer = _open if "websocket" in upgrades else _rest
        assert isinstance(connection, VenueConnection)
        return await answer(exchange, connection, self._read(request, place, path, connection.body))

    def _read(self, request: Request, place: str, path: str, body: bytes) -> RestRequest:
        parts = urlsplit(path)
        return RestRequest(
            parts.path,
            dict(parse_qsl(parts.query)),
            request.method,
            f"{self._ws_scheme}://{request.headers.get('Host', '')}/{place}",
            parts.query,
            {name.lower(): value for name, value in request.headers.raw_items()},
            body,
        )

    async def serve_socket(self, connection: ServerConnection) -> None:
        assert isinstance(connection, VenueConnection)
        assert connection.request is not None
        place, path = _split(connection.request.path)
        exchange = self._exchanges[place]
        session = exchange.venue.session(path, exchange, next(self._connection_ids))
        await ConnectedClient(connection, exchange, session).stay()


async def _open(
    exchange: Exchange, _connection: VenueConnection, asked: RestRequest
) -> Response | None:
    await exchange.audible.wait()
    path = f"{asked.path}?{asked.raw_query}" if asked.raw_query else asked.path
    if exchange.venue.accepts(path):
        return None
    return _not_found(f"{exchange.venue.name} has no WebSocket at {path!r}")


async def _rest(exchange: Exchange, connection: VenueConnection, asked: RestRequest) -> Response:
    """Answer as things stand now, even if that leaves late; a signed request when it is done."""
    if exchange.faults.lasts(FaultKind.REST_429):
        return _response(exchange.venue.rate_limited, exchange.now_ns())
    private = exchange.private
    signed = None if private is None else exchange.venue.signed(asked, exchange)
    if private is None or signed is None:
        reply = exchange.venue.rest(asked, exchange, exchange.now_ns())
    else:
        answered = await private.wait_for(signed)
        if answered is None:
            return await _refuse(connection)
        reply = answered
    if exchange.faults.lasts(FaultKind.REST_SLOW):
        await asyncio.sleep(SLOW_REST_S)
    return _response(reply, exchange.now_ns())


async def _refuse(connection: ServerConnection) -> Response:
    """Cut the connection without an answer."""
    assert isinstance(connection, VenueConnection)
    connection.reset()
    await connection.lost()
    return _response(RestReply(b"", 503))  # which nobody hears any more


def _split(path: str) -> tuple[str, str]:
    """Return ("binance", "/ws?x") of `/binance/ws?x`.

    Raises:
        ValueError: what is left is not a path.
    """
    place, slash, rest = path.removeprefix("/").partition("/")
    place, question, query = place.partition("?")
    below = f"{slash}{rest}{question}{query}"
    urlsplit(below)
    return place, below


def _response(reply: RestReply, now_ns: int | None = None) -> Response:
    """Return a reply, dated by the venue's clock where that is given."""
    headers = Headers({**reply.headers, "Connection": "close"})
    if now_ns is not None:
        headers["Date"] = formatdate(now_ns / 1e9, usegmt=True)
    headers["Content-Length"] = str(len(reply.body))
    return Response(reply.status, http.HTTPStatus(reply.status).phrase, headers, reply.body)


def _not_found(text: str) -> Response:
    return _response(RestReply(text.encode(), 404, {"Content-Type": "text/plain; charset=utf-8"}))


def _bugs_only() -> logging.Logger:
    """Return a logger for websockets by which only our own bugs are heard, as our own event."""
    bugs = logging.getLogger("venue_simulator.websockets")
    bugs.setLevel(logging.ERROR)
    bugs.propagate = False
    if not bugs.handlers:
        bugs.addHandler(_Bugs())
    return bugs


class _Bugs(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.msg != "opening handshake failed":  # a client's nonsense, which it was told
            logger.error("connection failed", detail=record.getMessage(), exc_info=record.exc_info)
