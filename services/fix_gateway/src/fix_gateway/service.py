"""The FIX gateway's process: bus on one side, customers on the other; how both begin and end."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dragonfly_common.bus import End, Keys, drive
from dragonfly_common.discovery import is_loopback
from dragonfly_common.equivalence import Equivalences
from dragonfly_common.errors import ConfigError
from dragonfly_common.runtime import Runtime
from dragonfly_fix.connection import FixConnection, Reading
from dragonfly_views.access import Access
from dragonfly_views.places import connections_within_limit, warn_of_open_doors
from dragonfly_views.tls_files import TlsFiles, server_context, watched
from dragonfly_views.views import Views

from fix_gateway.access import MARKET, ORDERS, Logons
from fix_gateway.customers import Arrival, Customers, Service
from fix_gateway.door import Door, Visit
from fix_gateway.md_session import AT_ORDERS, NO_ENGINE, CustomerLimits, FixMarket
from fix_gateway.order_desk import DeskOptions, OrderDesk
from fix_gateway.upstreams import upstreams_by_kind

__all__ = ["FixGatewayOptions", "serve"]

STOP_GRACE_S: Final = 1.0
LOOK_INTERVAL_S: Final = 0.1
READING: Final = Reading(burst=16 << 10, bytes_per_s=8 << 10)
"""Of one customer: a hundred requests at once, and some fifty a second from then on."""
SPARE_CONNECTIONS: Final = 256
"""Beyond customers: of those who have not logged on yet."""
STOPPING: Final = "gateway is stopping: connect to another"
REVOKED: Final = "the token holds no more: ask for a new one"


@dataclass(frozen=True)
class FixGatewayOptions:
    """The options of a FIX gateway."""

    upstreams: Sequence[str]
    """`ADDRESS`, or `KIND=ADDRESS` for views of one kind."""
    bind: str
    instruments: tuple[str, ...]
    limits: CustomerLimits
    linger_s: float
    max_sessions: int
    plain: bool = False
    """Other machines may connect without TLS."""
    keys: Keys | None = None
    tls: TlsFiles | None = None
    tokens: Path | None = None
    orders: DeskOptions | None = None
    """None: no orders are taken."""
    equivalences: Equivalences = field(default_factory=Equivalences)
    patience_s: float = 2.0
    """How long a request waits for the instrument lists, or for a view's first live state."""
    settles_after_s: float = 1.5
    """How long after the last new venue no more are expected."""


async def serve(runtime: Runtime, options: FixGatewayOptions) -> None:
    """Serve until cancelled.

    Raises:
        AddressError: an address is malformed or taken.
        ConfigError: a certificate or the tokens file cannot be used, or the options do not fit.
    """
    gateway = _FixGateway(runtime, options)
    try:
        gateway.start()
        await drive(gateway.ends, gateway.on_activity)
    finally:
        await gateway.stop()


class _FixGateway:
    """The parts, joined."""

    def __init__(self, runtime: Runtime, options: FixGatewayOptions) -> None:
        self._runtime = runtime
        self._options = options
        self._tls = watched(options.tls, server_context) if options.tls else None
        self._access = Access(options.tokens, options.max_sessions, runtime.clock)
        by_kind = upstreams_by_kind(options.upstreams)
        shared = {addresses: self._connect(addresses) for addresses in {*by_kind.values()}}
        self.views = [*shared.values()]
        asks_certificates = options.tls is not None and options.tls.client_ca is not None
        most = connections_within_limit(options.max_sessions + SPARE_CONNECTIONS)
        self._market = FixMarket(
            {kind: shared[addresses] for kind, addresses in by_kind.items()},
            options.limits,
            runtime.clock,
            AT_ORDERS if options.orders else NO_ENGINE,
        )
        self.ends: list[End] = [views.subscriber for views in self.views]
        services: dict[bytes, Service] = {MARKET: self._market}
        self._desk: OrderDesk | None = None
        if options.orders is not None:
            self._desk = OrderDesk(
                options.orders,
                runtime.clock,
                options.keys,
                asks_tokens=self._access.asks_tokens,
            )
            services[ORDERS] = self._desk
            self.ends.append(self._desk.channel)
        self._customers = Customers(
            Logons(
                self._access,
                most - SPARE_CONNECTIONS,
                certificates=asks_certificates,
                takes_orders=self._desk is not None,
            ),
            services,
            runtime.clock,
        )
        self._asks_certificates = asks_certificates
        self._door = Door(
            self._let_in,
            runtime.clock,
            tls=self._newest_certificates if self._tls else None,
            most=SPARE_CONNECTIONS,
        )
        self._told_versions: list[int] = []
        self._next_look = 0.0

    def start(self) -> None:
        options = self._options
        if self._tls is None and not options.plain and not is_loopback(options.bind):
            raise ConfigError(
                f"--bind {options.bind} lets customers in from elsewhere, and nothing would be"
                " encrypted: give --tls-cert and --tls-key, or --plain if that is meant"
            )
        address = self._door.open(options.bind)
        if self._desk is not None:
            self._desk.start()
        warn_of_open_doors(
            self._runtime,
            self._access,
            address,
            encrypted=self._tls is not None,
            asks_certificates=self._asks_certificates,
        )
        # Beside a gateway of bots, whose address is the process's.
        self._runtime.ready(fix=address)

    async def stop(self) -> None:
        """Log every customer out, then close; one that does not answer is cut."""
        await self._door.close()
        sessions = self._customers.sessions
        for session in [*sessions]:
            session.connection.leave(STOPPING)
        await self._customers.left.until(lambda: not sessions, STOP_GRACE_S)
        for session in [*sessions]:
            session.connection.transport.abort()
        if self._desk is not None:
            await self._desk.close()
        for views in self.views:
            views.close()

    def on_activity(self) -> float | None:
        """Take what the bus brought, and now and then look for what is due."""
        self._runtime.beat()
        due_s = self._desk.turn() if self._desk is not None else None
        # Not any(): each is drained.
        if True in [views.drain() for views in self.views]:
            for session in self._customers.sessions:
                session.wake()
        versions = [views.statuses.version for views in self.views]
        if versions != self._told_versions:
            self._told_versions = versions
            self._say_health()
        now = self.views[0].drained_at
        if now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL_S
            for views in self.views:
                views.look(now)
            self._follow_files(now)
        return due_s

    def _connect(self, addresses: tuple[str, ...]) -> Views:
        options = self._options
        return Views(
            addresses,
            self._runtime.clock,
            always=options.instruments,
            linger_s=options.linger_s,
            patience_s=options.patience_s,
            settles_after_s=options.settles_after_s,
            lists_command="SecurityListRequest (x)",
            keys=options.keys,
            equivalences=options.equivalences,
        )

    def _let_in(self, visit: Visit) -> FixConnection:
        return FixConnection(Arrival(self._customers, visit), self._runtime.clock, READING)

    def _newest_certificates(self) -> ssl.SSLContext:
        assert self._tls is not None
        return self._tls.value

    def _follow_files(self, now: float) -> None:
        if self._tls is not None:
            self._tls.refresh(now)
        if self._access.refresh(now):
            for session in [*self._customers.sessions]:
                if self._access.revoked(session.caller):
                    session.connection.leave(REVOKED)

    def _say_health(self) -> None:
        if all(views.statuses.is_live() for views in self.views):
            self._runtime.ready()
        else:
            self._runtime.not_ready("no venue is live")
