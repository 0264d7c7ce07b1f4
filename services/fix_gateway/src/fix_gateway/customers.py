"""One connection of a customer: who it is, and what serves it, is decided at its Logon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from dragonfly_common.clock import Clock
from dragonfly_common.printable import printable
from dragonfly_fix.codec import FixMessage, Garbled
from dragonfly_fix.connection import FixConnection
from dragonfly_fix.fix44 import MsgType
from dragonfly_fix.session import (
    Acceptor,
    FixEvent,
    FixSession,
    LoggedOn,
    LogonAdmitted,
    LogonRefused,
    Received,
    Rejected,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import Store
from dragonfly_views.accounts import Caller
from dragonfly_views.condition import Condition
from dragonfly_views.refusals import CallRefusedError

from fix_gateway import counters
from fix_gateway.access import Logons
from fix_gateway.door import Visit
from fix_gateway.requests import LONGEST_ID

__all__ = ["Arrival", "CustomerSession", "Customers", "Service"]

IDS: Final = (11, 262, 320, 324, 584)
"""The tags by which messages name themselves."""

logger = structlog.get_logger()


class CustomerSession(ABC):
    """What serves one connection that is logged on, by the CompID (56) that it asked for."""

    def __init__(self, connection: FixConnection, caller: Caller) -> None:
        self.connection = connection
        self.caller = caller

    @property
    @abstractmethod
    def store(self) -> Store:
        """The numbers of the session."""

    @abstractmethod
    def take(self, message: FixMessage) -> None:
        """Take an application message.

        Raises:
            CallRefusedError: it is refused.
        """

    @abstractmethod
    def refuse_for(self, message: FixMessage, error: CallRefusedError) -> None:
        """Refuse a message."""

    @abstractmethod
    def on_logged_on(self) -> None:
        """Take note that the Logon is answered."""

    @abstractmethod
    def wake(self) -> None:
        """Write what waits."""

    @abstractmethod
    def on_lost(self) -> None:
        """Take note that the connection is closed."""

    def is_active(self) -> bool:
        return self.connection.session.state is SessionState.ACTIVE

    def refuse(self, message: FixMessage, reason: int, text: str) -> None:
        """Answer with a BusinessMessageReject (j): BusinessRejectReason (380) and Text (58)."""
        counters.REFUSED.labels(message.type.decode(errors="replace")).inc()
        if self.is_active():
            ref_id = next(
                (value for tag in IDS if (value := message.get(tag)) and len(value) <= LONGEST_ID),
                b"",
            )
            self.connection.reject_business(message, reason, text, ref_id)


class Service(Protocol):
    """Serves the customers that log on to one CompID of ours."""

    def begin(self, connection: FixConnection, caller: Caller, comp_id: bytes) -> CustomerSession:
        """Return what serves a customer whose Logon is admitted.

        Raises:
            CallRefusedError: it may not log on now.
        """


@dataclass(frozen=True)
class Customers:
    """What all connections share."""

    logons: Logons
    services: Mapping[bytes, Service]
    """By our CompIDs."""
    clock: Clock
    sessions: set[CustomerSession] = field(default_factory=set)
    """Those that are logged on."""
    left: Condition = field(default_factory=Condition)
    """Notified when one is gone."""


class Arrival:
    """One connection."""

    connection: FixConnection
    _session: CustomerSession | None = None

    def __init__(self, customers: Customers, visit: Visit) -> None:
        self._customers = customers
        self._visit = visit
        self._held = ExitStack()

    def __str__(self) -> str:
        name = printable(self.connection.session.target.decode(errors="replace"))
        return f"{name} {self._visit.peer}"

    def on_connected(self, connection: FixConnection) -> FixSession:
        self.connection = connection
        return Acceptor(self._admit, self._customers.clock.monotonic())

    def on_event(self, event: FixEvent) -> None:
        session = self._session
        match event:
            case LoggedOn() if session is not None and session not in self._customers.sessions:
                self._customers.sessions.add(session)
                self._visit.welcome()
                counters.SESSIONS.inc()
                logger.info("customer logged on", customer=str(self))
                session.on_logged_on()
            case Received(message) if session is not None:
                if message.type == MsgType.BUSINESS_REJECT:
                    counters.REJECTED.inc()
                    return
                try:
                    session.take(message)
                except CallRefusedError as error:
                    session.refuse_for(message, error)
            case Rejected(reject):
                counters.REJECTED.inc()
                why = (reject.get(58) or b"").decode(errors="replace")
                logger.warning("customer rejected a message", customer=str(self), reason=why)
            case Garbled():
                counters.GARBLED.inc()
            case _:
                pass

    def on_writable(self) -> None:
        if self._session is not None:
            self._session.wake()

    def on_lost(self) -> None:
        session, customers = self._session, self._customers
        if session is not None:
            session.on_lost()
        self._held.close()
        self._visit.over()
        if session in customers.sessions:
            customers.sessions.discard(session)
            customers.left.notify()
            counters.SESSIONS.dec()
            reason = self.connection.session.reason
            logger.info("customer left", customer=str(self), reason=reason)

    def _admit(self, logon: FixMessage) -> LogonAdmitted | LogonRefused:
        logons = self._customers.logons
        certificate = self.connection.transport.get_extra_info("peercert") or {}
        names = [
            value
            for part in certificate.get("subject", ())
            for key, value in part
            if key == "commonName"
        ]
        comp_id, target = logon.get(49) or b"", logon.get(56) or b""
        try:
            caller = logons.admit(logon, self._visit.peer, names[0] if names else "")
            self._held.callback(logons.release, logon)
            self._held.enter_context(caller.account.stream(caller.peer, "end another session"))
            session = self._customers.services[target].begin(self.connection, caller, comp_id)
        except CallRefusedError as error:
            self._held.close()
            return LogonRefused(error.sentence)
        self._session = session
        return LogonAdmitted(session.store)
