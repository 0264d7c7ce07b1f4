"""The gateway's process: bus on one side, bots on the other, and how both begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
from dragonfly_common.bus import End, Keys, drive
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.errors import AddressError
from dragonfly_common.runtime import Runtime
from dragonfly_common.status import check_free, split_host_port
from dragonfly_pricing.fees import FeeTable
from dragonfly_views.access import Access
from dragonfly_views.accounts import Caller
from dragonfly_views.places import connections_within_limit, warn_of_open_doors
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.tls_files import TlsFiles
from dragonfly_views.tokens import MARKET_DATA, TRADE
from dragonfly_views.views import Views

from grpc_gateway.access import admit
from grpc_gateway.connections import Connections, bound_unsent
from grpc_gateway.context import Context
from grpc_gateway.execution import ExecutionServicer
from grpc_gateway.handshakes import HANDSHAKE_LIMIT_S, Handshakes
from grpc_gateway.health import Health
from grpc_gateway.reflection import Reflection
from grpc_gateway.rpc import EXECUTION, SERVICES, generic_handler
from grpc_gateway.servicer import BotLimits, Servicer
from grpc_gateway.streams import Streams
from grpc_gateway.tls import Certificates

__all__ = ["GatewayOptions", "serve"]

STOP_GRACE_S: Final = 1.0
IDLE_LIMIT_S: Final = 300.0
PING_INTERVAL_MS: Final = 1000
# Every state from the bus is taken at once; timers of streams and views need no more than this.
LOOK_INTERVAL_S: Final = 0.1
# Beyond the streams that count: refusals in the making and unary calls.
SPARE_CALLS: Final = 256
TOKEN_REVOKED: Final = CallRefusedError(
    RefusalCode.UNKNOWN_CALLER, "the token holds no more: ask for a new one"
)


@dataclass(frozen=True)
class GatewayOptions:
    """The options of a gateway."""

    upstreams: Sequence[str]
    bind: str
    instruments: tuple[str, ...]
    limits: BotLimits
    linger_s: float
    max_streams: int
    max_total_streams: int
    pong_within_s: float = 20.0
    """A bot whose library leaves a ping unanswered for so long is taken for frozen or gone."""
    keys: Keys | None = None
    tls: TlsFiles | None = None
    tokens: Path | None = None
    fees: FeeTable | None = None
    """The fees that bots without a table of their own pay at venues."""
    equivalences: Equivalences = field(default_factory=Equivalences)
    engine: str | None = None
    """Where the execution engine takes orders; None: the gateway takes none."""


async def serve(runtime: Runtime, options: GatewayOptions) -> None:
    """Serve until cancelled.

    Raises:
        AddressError: an address is malformed or taken.
        ConfigError: a certificate or the tokens file cannot be used.
    """
    gateway = _Gateway(runtime, options)
    try:
        await gateway.start()
        await drive(gateway.ends, gateway.on_activity)
    finally:
        await gateway.stop()


class _Gateway:
    """The parts, joined."""

    def __init__(self, runtime: Runtime, options: GatewayOptions) -> None:
        clock = runtime.clock
        always = options.instruments
        self._runtime = runtime
        self._options = options
        self._connections = Connections()
        self._handshakes = Handshakes(clock.monotonic)
        # What may not be as it is named comes before what is open then.
        self._certificates = (
            Certificates(options.tls, self._handshakes.begun) if options.tls else None
        )
        self._asks_certificates = options.tls is not None and options.tls.client_ca is not None
        self._access = Access(options.tokens, options.max_streams, clock)
        self.views = Views(
            options.upstreams,
            clock,
            always=always,
            linger_s=options.linger_s,
            patience_s=options.limits.patience_s,
            settles_after_s=options.limits.settles_after_s,
            lists_command="ListInstruments",
            keys=options.keys,
            equivalences=options.equivalences,
        )
        self._streams = Streams(options.max_total_streams, clock, self.views.current)
        self._servicer = Servicer(
            self.views,
            self._streams,
            limits=options.limits,
            always=always,
            clock=clock,
            fees=options.fees,
        )
        self._execution = (
            ExecutionServicer(
                options.engine,
                self._streams,
                clock,
                self._servicer.get_executable,
                instance=runtime.instance,
                asks_tokens=self._access.asks_tokens,
                keys=options.keys,
            )
            if options.engine
            else None
        )
        self.ends: tuple[End, ...] = (self.views.subscriber,)
        if self._execution:
            self.ends += (self._execution.channel,)
        self._services = (*SERVICES, EXECUTION) if self._execution else SERVICES
        self._health = Health(
            (service.full_name for service in self._services),
            most_watches=options.max_total_streams,
        )
        self._server = _new_server(options, self._handlers())
        self._told_version = -1
        self._next_look = 0.0

    async def start(self) -> None:
        credentials = self._certificates and self._certificates.credentials()
        address = _listen(self._server, self._options.bind, credentials)
        warn_of_open_doors(
            self._runtime,
            self._access,
            address,
            encrypted=credentials is not None,
            asks_certificates=self._asks_certificates,
        )
        # Cancelled halfway, because another service of the process failed, it could not be stopped.
        starting = asyncio.ensure_future(self._server.start())
        try:
            await asyncio.shield(starting)
        finally:
            await starting
        self._connections.port = port = int(address.rpartition(":")[2])
        bound_unsent(port)
        self._runtime.ready(address=address)

    async def stop(self) -> None:
        """Say so to health and to every bot, then close; a bot that does not read is cut."""
        self._health.shut_down()
        self._streams.end_all(
            CallRefusedError(RefusalCode.UNAVAILABLE, "gateway is stopping: connect to another")
        )
        await self._server.stop(STOP_GRACE_S)
        self.views.close()
        if self._execution:
            self._execution.close()

    def on_activity(self) -> float | None:
        """Take what the bus brought, and now and then look for what is due."""
        self._runtime.beat()
        due_s = self._execution.turn() if self._execution else None
        if self.views.drain():
            self._streams.wake()
        if self.views.statuses.version != self._told_version:
            self._told_version = self.views.statuses.version
            self._say_health()
        now = self.views.drained_at
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL_S
            self.views.look(now)
            self._streams.look()
            self._connections.look(now)
            self._follow_files(now)
        return due_s

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        names = [
            service.full_name for service in (*self._services, Health.service, Reflection.service)
        ]
        trading = partial(self._admit, scope=TRADE)
        return [
            *(generic_handler(service, self._servicer, self._admit) for service in SERVICES),
            *([generic_handler(EXECUTION, self._execution, trading)] if self._execution else []),
            generic_handler(Health.service, self._health, self._admit_anybody),
            generic_handler(Reflection.service, Reflection(names, self._streams), self._admit),
        ]

    def _admit(self, context: Context, scope: str = MARKET_DATA) -> Caller:
        self._note_call(context)
        certificates = self._asks_certificates
        caller = admit(context, self._access, certificates=certificates, scope=scope)
        self._connections.admitted(context.peer())
        return caller

    def _admit_anybody(self, context: Context) -> None:
        self._note_call(context)
        self._connections.called(context.peer())

    def _note_call(self, context: Context) -> None:
        if self._certificates:
            self._handshakes.called(context.peer())

    def _follow_files(self, now: float) -> None:
        if self._certificates:
            self._certificates.refresh(now)
            self._handshakes.look()
        if self._access.refresh(now):
            self._streams.end_of(self._access.revoked, TOKEN_REVOKED)

    def _say_health(self) -> None:
        live = self.views.statuses.is_live()
        self._health.note(live=live)
        if live:
            self._runtime.ready()
        else:
            self._runtime.not_ready("no venue is live")


def _new_server(
    options: GatewayOptions, handlers: Sequence[grpc.GenericRpcHandler]
) -> grpc.aio.Server:
    # Health is for everybody, and must leave the bots their places.
    calls = 2 * options.max_total_streams + SPARE_CALLS
    server = grpc.aio.server(options=_server_options(options), maximum_concurrent_rpcs=calls)
    server.add_generic_rpc_handlers(handlers)
    return server


def _server_options(options: GatewayOptions) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # a port in use must be noticed
        # A frozen peer waits for one slot of mail and loses nothing by it: it is cut late.
        ("grpc.keepalive_time_ms", PING_INTERVAL_MS),
        ("grpc.keepalive_timeout_ms", int(options.pong_within_s * 1000)),
        # Without this one, measured: 60 s, whatever the two above say.
        ("grpc.http2.ping_timeout_ms", int(options.pong_within_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Bots may ping this often; the default would send them away for a ping in five minutes.
        ("grpc.http2.min_ping_interval_without_data_ms", 500),
        # Nor for pings that a busy machine delivered close together: a ping costs next to nothing.
        ("grpc.http2.max_ping_strikes", 0),
        # A TLS handshake that does not go on holds a file descriptor.
        ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_LIMIT_S * 1000)),
        # A connection that wants nothing is not kept for ever; a bot's library opens it again.
        ("grpc.max_connection_idle_ms", int(IDLE_LIMIT_S * 1000)),
        (
            "grpc.max_allowed_incoming_connections",
            connections_within_limit(options.max_total_streams + SPARE_CALLS),
        ),
        # Above the limit that refuses with a sentence: beyond this one a call waits unseen.
        ("grpc.max_concurrent_streams", options.max_streams + SPARE_CALLS),
        ("grpc.max_receive_message_length", 64 * 1024),
        ("grpc.max_send_message_length", 1024 * 1024),
    ]


def _listen(server: grpc.aio.Server, bind: str, credentials: grpc.ServerCredentials | None) -> str:
    """Bind HOST:PORT; return it with the port that it became.

    Raises:
        AddressError: it is malformed, taken, or not this machine's.
    """
    # gRPC does not say why it cannot bind, and writes to standard error by itself.
    check_free("bots", bind, "--bind")
    host, port = split_host_port(bind)
    shown = f"[{host}]" if ":" in host else host
    try:
        where = f"{shown}:{port}"
        bound = (
            server.add_secure_port(where, credentials)
            if credentials
            else server.add_insecure_port(where)
        )
    except RuntimeError:
        raise AddressError(f"cannot serve bots on {bind}: choose another --bind") from None
    return f"{shown}:{bound}"
