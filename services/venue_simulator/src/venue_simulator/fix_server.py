"""FIX beside the WebSockets: one port of one venue, the same books, faults and truth."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from dragonfly_common.errors import AddressError
from dragonfly_common.status import split_host_port
from dragonfly_fix.codec import SOH, FixMessage
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.session import (
    Acceptor,
    FixEvent,
    LoggedOn,
    LoggedOut,
    LogonAdmitted,
    LogonRefused,
    Received,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore

from venue_simulator import counters
from venue_simulator.connection import reset_transport
from venue_simulator.exchange import Exchange
from venue_simulator.faults import FaultKind
from venue_simulator.fix_desk import FixConversation, FixDesk
from venue_simulator.refusals import refusal
from venue_simulator.trading.orders import OrderEvent
from venue_simulator.venue import Action, BookStream, Frame, Send, Subscribe, Unsubscribe

__all__ = ["serve_fix"]

TYPE: Final = b"35="

logger = structlog.get_logger()


@asynccontextmanager
async def serve_fix(
    exchange: Exchange, desk: FixDesk, address: str, tls: ssl.SSLContext | None
) -> AsyncIterator[str]:
    """Listen until the context ends; yield HOST:PORT.

    Raises:
        AddressError: the address is malformed, taken, or not of this machine.
    """
    host, port = split_host_port(address)
    clients: set[_FixClient] = set()
    clock = _VenueClock(exchange)

    def connect() -> FixConnection:
        return _VenueFixConnection(_FixClient(exchange, desk, clock, clients), clock, exchange)

    try:
        server = await asyncio.get_running_loop().create_server(connect, host, port, ssl=tls)
    except OSError as error:
        raise AddressError(
            f"cannot listen on {address}: {error.strerror or error}; choose another --fix"
        ) from None
    try:
        bound_host, bound_port = server.sockets[0].getsockname()[:2]
        yield f"[{bound_host}]:{bound_port}" if ":" in bound_host else f"{bound_host}:{bound_port}"
    finally:
        server.close()
        for client in tuple(clients):
            client.reset()
        await server.wait_closed()


class _VenueClock:
    """The venue's own clock, which may run faster than ours."""

    def __init__(self, exchange: Exchange) -> None:
        self.now_ns = exchange.now_ns
        self._monotonic = exchange.clock.monotonic
        self._faster = exchange.faster

    def monotonic(self) -> float:
        return self._monotonic() * self._faster


class _VenueFixConnection(FixConnection):
    """Holds back what leaves while the venue is silent, and has counted what comes."""

    def __init__(self, client: _FixClient, clock: _VenueClock, exchange: Exchange) -> None:
        super().__init__(client, clock)
        self._client = client
        self._exchange = exchange

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        self._client.count_messages()

    def flush(self) -> None:
        if not self._exchange.faults.lasts(FaultKind.SILENCE):
            super().flush()


class _FixClient:
    """A member of an exchange that came by FIX, for as long as its connection is open."""

    def __init__(
        self, exchange: Exchange, desk: FixDesk, clock: _VenueClock, clients: set[_FixClient]
    ) -> None:
        self._exchange = exchange
        self._desk = desk
        self._clock = clock
        self._clients = clients
        self._venue = exchange.venue.name
        self._streams: set[BookStream] = set()
        self._messages = desk.messages()
        self._counted = 0
        self._admitted: FixMessage | None = None
        self._store = MemoryStore(keeps=False)
        self._is_clean = True
        """True where nobody is logged on, or one side has logged out."""
        self._conversation: FixConversation | None = None

    # What its connection calls.

    def on_connected(self, connection: FixConnection) -> Acceptor:
        self._connection = connection
        self._session = Acceptor(self._admit, self._clock.monotonic(), self._desk.rules)
        self._clients.add(self)
        faults = self._exchange.faults
        if faults.lasts(FaultKind.NOT_ACCEPTING) or refusal(faults) is not None:
            self.reset()
            return self._session
        self._exchange.members.add(self)
        counters.CLIENTS.labels(self._venue).inc()
        logger.info("client connected", venue=self._venue, clients=len(self._exchange.members))
        return self._session

    def on_event(self, event: FixEvent) -> None:
        match event:
            case LoggedOn():
                faults = self._exchange.faults
                self._is_clean = False
                self._conversation = self._desk.converse(
                    self._exchange, lambda: faults.lasts(FaultKind.TOO_MANY_STREAMS)
                )
            case LoggedOut():
                self._is_clean = True
            case Received(message) if self._conversation is not None:
                self.perform(self._conversation.receive(message, self._clock.now_ns()))

    def on_writable(self) -> None:
        """A venue waits for nobody: who reads too slowly is cut."""

    def on_lost(self) -> None:
        self._clients.discard(self)
        if self._admitted is not None:
            self._desk.release(self._admitted, self._clock.monotonic(), clean=self._is_clean)
        for stream in self._streams:
            self._exchange.unsubscribe(self, stream)
        if self in self._exchange.members:
            self._exchange.members.discard(self)
            counters.CLIENTS.labels(self._venue).dec()
            clients = len(self._exchange.members)
            reason = self._session.reason
            logger.info("client left", venue=self._venue, clients=clients, reason=reason)

    # What its exchange calls.

    def push(self, frame: Frame) -> None:
        assert isinstance(frame, bytes)
        silent = self._exchange.faults.lasts(FaultKind.SILENCE)
        if self._session.state is SessionState.ACTIVE and not silent:
            msg_type, _, body = frame.removeprefix(TYPE).partition(SOH)
            self._connection.send(msg_type, body)

    def announce_close(self) -> None:
        if self._conversation is not None:
            self.push(self._conversation.announce_close())

    def announce_trading(self, symbol: str | None) -> None:
        """By FIX only the list of instruments says it."""

    def describe_order(self, event: OrderEvent) -> Sequence[Action]:
        """Return nothing: sessions of market data follow no orders."""
        return ()

    def perform(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(frame):
                    self.push(frame)
                case Subscribe(stream):
                    self._streams.add(stream)
                    self._exchange.subscribe(self, action)
                case Unsubscribe(stream):
                    self._streams.discard(stream)
                    self._exchange.unsubscribe(self, stream)

    def skip_number(self) -> None:
        self._store.save(self._store.next_out, None)

    def hang_up(self, code: int, reason: str) -> None:
        self._is_clean = True
        if self._session.state is SessionState.ACTIVE:
            self._connection.leave(reason)
        else:
            self._connection.end(reason)

    def reset(self) -> None:
        reset_transport(self._connection.transport)

    # Its own.

    def _admit(self, logon: FixMessage) -> LogonAdmitted | LogonRefused:
        in_use = self._exchange.faults.lasts(FaultKind.ID_IN_USE)
        now, now_ns = self._clock.monotonic(), self._clock.now_ns()
        refused = self._desk.admit(logon, now, now_ns, in_use=in_use)
        if refused is not None:
            return refused
        self._admitted = logon
        return LogonAdmitted(self._store, self._desk.greeting)

    def count_messages(self) -> None:
        """Hold what came since the last time against what one connection may send."""
        came, self._counted = self._store.next_in - 1 - self._counted, self._store.next_in - 1
        now_ns = round(self._clock.monotonic() * 1e9)
        if sum(self._messages.exceeded(now_ns) for _ in range(came)):
            self.hang_up(0, self._desk.too_many_messages)
