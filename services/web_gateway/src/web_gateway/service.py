"""The web gateway's process: the gRPC gateway on one side, browsers on the other."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from dragonfly_client.client import DragonflyClient
from dragonfly_client.events import Event
from dragonfly_client.messages import State
from dragonfly_client.tls import Tls
from dragonfly_common.errors import AddressError
from dragonfly_common.runtime import Runtime
from dragonfly_common.status import split_host_port
from dragonfly_views.access import Access
from dragonfly_views.places import connections_within_limit, warn_of_open_doors
from dragonfly_views.tls_files import TlsFiles, server_context

from web_gateway.app import make_app
from web_gateway.feeds import FeedQuestion, WebFeed, WebFeeds
from web_gateway.history import Histories
from web_gateway.instruments import Listed
from web_gateway.rest import Rest
from web_gateway.session import WebSession

__all__ = ["WebGatewayOptions", "serve"]

LOOK_INTERVAL_S: Final = 0.25
MOST_REQUEST_BYTES: Final = 16 << 10
MOST_MESSAGE_BYTES: Final = 64 << 10
MOST_UNSENT_BYTES: Final = 16 << 10
"""Of a connection, in the kernel: a book that was not sent yet is better replaced."""
REACH_WITHIN_S: Final = 2.0
REVOKED: Final = "the token holds no more: ask for a new one"

logger = structlog.get_logger()


@dataclass(frozen=True)
class WebGatewayOptions:
    """The options of a web gateway."""

    bind: str
    gateway: str
    gateway_tls: Tls | None = None
    gateway_token: str | None = None
    tls: TlsFiles | None = None
    tokens: Path | None = None
    origins: tuple[str, ...] = ()
    max_sockets: int = 1000
    max_feeds: int = 256
    instruments: tuple[str, ...] = ()
    """Whose past is always kept."""


async def serve(runtime: Runtime, options: WebGatewayOptions) -> None:
    """Serve until cancelled.

    Raises:
        AddressError: an address is malformed or taken.
        ConfigError: a certificate or the tokens file cannot be used.
    """
    gateway = _WebGateway(runtime, options)
    await gateway.run()


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _WebGateway:
    """The parts, joined."""

    def __init__(self, runtime: Runtime, options: WebGatewayOptions) -> None:
        self._runtime = runtime
        self._options = options
        self._access = Access(options.tokens, options.max_sockets, runtime.clock)
        self._context = server_context(options.tls) if options.tls else None
        self._lost = False

    def wake(self) -> None:
        """Take note that the venues changed, which is looked at in any case."""

    async def run(self) -> None:
        options = self._options
        listening, address = _listen(options.bind)
        warn_of_open_doors(
            self._runtime,
            self._access,
            address,
            encrypted=self._context is not None,
            asks_certificates=False,
        )
        feeds = WebFeeds(self._new_client, options.max_feeds)
        venues = feeds.follow(FeedQuestion("venues"), self)
        histories = Histories(feeds, options.instruments, self._runtime.clock)
        async with self._new_client(lambda _: None) as client:
            listed = Listed(client)
            app = make_app(
                Rest(client, self._new_client, self._access, listed, histories, lambda: venues),
                lambda one: WebSession(one, feeds, self._access, lambda: listed.names),
                options.origins,
                connections_within_limit(options.max_sockets),
            )
            server = _Server(self._config(app))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            scheme = "https" if self._context else "http"
            self._runtime.ready(web=f"{scheme}://{address}/")
            try:
                while not serving.done():
                    self._runtime.beat()
                    self._say_health(venues)
                    listed.refresh()
                    histories.refresh()
                    if self._access.refresh(self._runtime.clock.monotonic()):
                        for session in [*app.state.sessions]:
                            if session.revoked():
                                session.leave(REVOKED)
                    await asyncio.wait((serving,), timeout=LOOK_INTERVAL_S)
            finally:
                server.should_exit = True
                await feeds.close()
                await serving
                listening.close()

    def _new_client(self, on_event: Callable[[Event], None], token: str = "") -> DragonflyClient:
        options = self._options
        return DragonflyClient(
            options.gateway,
            tls=options.gateway_tls,
            token=token or options.gateway_token,
            connect_timeout_s=REACH_WITHIN_S,
            on_event=on_event,
        )

    def _config(self, app: object) -> uvicorn.Config:
        # Its own lines are not ours: what goes wrong is said by this service's log.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        context = self._context
        return uvicorn.Config(
            app,  # type: ignore[arg-type]
            http="h11",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws_max_size=MOST_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=MOST_REQUEST_BYTES,
            timeout_graceful_shutdown=1,
            ssl_context_factory=(lambda *_: context) if context else None,
        )

    def _say_health(self, venues: WebFeed) -> None:
        said = venues.said if isinstance(venues.said, tuple) else ()
        lost = venues.refused.sentence if venues.refused else venues.lost
        if venues.answered.is_set() and bool(lost) != self._lost:
            self._lost = bool(lost)
            gateway = self._options.gateway
            if lost:
                logger.warning("gateway lost", gateway=gateway, reason=lost)
            else:
                logger.info("gateway found", gateway=gateway)
        if lost:
            self._runtime.not_ready(lost)
        elif any(venue.state is State.LIVE for venue in said):
            self._runtime.ready()
        else:
            self._runtime.not_ready("no venue is live")


def _listen(bind: str) -> tuple[socket.socket, str]:
    host, port = split_host_port(bind)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise AddressError(f"cannot serve pages on {bind}: {why}; choose another --bind") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)
    shown = f"[{host}]" if ":" in host else host
    return listening, f"{shown}:{listening.getsockname()[1]}"
