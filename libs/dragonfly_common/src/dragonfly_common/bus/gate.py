"""A publisher's gate: CURVE on its socket, open to trusted keys only, and what was refused.

CURVE alone encrypts and lets anybody in. Whether a key may enter is asked by ZeroMQ over its
authentication protocol (ZAP) of one thread per process, which knows each publisher by a name of
its own, its domain. When nobody answers, nobody enters.
"""

from __future__ import annotations

from itertools import count
from typing import Final

import structlog
import zmq
from zmq.auth.thread import ThreadAuthenticator

from dragonfly_common import counters
from dragonfly_common.bus import connections
from dragonfly_common.bus.handshakes import FAILURES, next_event
from dragonfly_common.bus.keys import Keys, short
from dragonfly_common.clock import Clock

__all__ = ["Gate"]

REPEAT_INTERVAL_S: Final = 60.0
"""The same refusal is logged again after so long."""
MOST_REMEMBERED: Final = 100
"""And so many different ones: new keys cost a stranger nothing, and must not fill the log."""

logger = structlog.get_logger()


class Gate:
    """Guards one publisher's socket."""

    def __init__(self, socket: zmq.Socket[bytes], keys: Keys, clock: Clock) -> None:
        """Prepare `socket`, which must not be bound yet."""
        self._socket = socket
        self._keys = keys
        self._clock = clock
        self._version = keys.version
        self._connections = connections.Connections()
        self._said: dict[tuple[str, ...], float] = {}
        self._domain = _Authenticator.enter(self)
        socket.setsockopt(zmq.ZAP_DOMAIN, self._domain.encode())
        # Without it, a process whose authenticator is gone would let everybody in.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        self._monitor = socket.get_monitor_socket(FAILURES | connections.EVENTS)

    def callback(self, domain: str, key: bytes) -> bool:
        """Say whether a subscriber with this key may enter; asked in the authenticator's thread."""
        refusal = self._keys.refusal(key)
        if refusal:
            self._warn(
                "subscriber refused", peer=_Authenticator.peer, key=short(key), reason=refusal
            )
        else:
            self._connections.admit(_Authenticator.peer, key)
        return refusal is None

    def look(self) -> None:
        """Count the connections that failed, and cut those whose key is trusted no more.

        Called often, it can tell apart who connects from one address.

        Raises:
            RuntimeError: the authenticator is gone, and nobody could connect any more.
        """
        self._keys.refresh(self._clock.monotonic())
        while event := next_event(self._monitor):
            if event.failure:
                counters.BUS_HANDSHAKE_FAILURES.labels("publisher", event.failure).inc()
                if event.failure != "auth":
                    self._warn("subscriber refused", reason=event.failure)
            else:
                self._connections.hear(event.kind, event.value)
        # Who just came in may have been judged by the keys of a moment ago.
        if self._connections.match() or self._version != self._keys.version:
            self._version = self._keys.version
            if cut := self._connections.cut(self._keys.refusal):
                logger.warning("subscribers cut off", connections=cut, reason="key trusted no more")
        if not _Authenticator.serving():
            raise RuntimeError("the authenticator of the bus has ended")

    def close(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close()
        _Authenticator.leave(self._domain)

    def _warn(self, event: str, **facts: str) -> None:
        now = self._clock.monotonic()
        what = tuple(facts.values())
        if now < self._said.get(what, now):
            return
        if len(self._said) >= MOST_REMEMBERED:
            self._said = {said: until for said, until in self._said.items() if until > now}
        if len(self._said) < MOST_REMEMBERED:
            self._said[what] = now + REPEAT_INTERVAL_S
            logger.warning(event, **facts)


class _Authenticator(ThreadAuthenticator):
    """The one that answers for all publishers of this process, until that ends."""

    peer = ""
    """Who asks now; read in the authenticator's thread."""
    _one: _Authenticator | None = None
    _numbers = count(1)

    @classmethod
    def enter(cls, gate: Gate) -> str:
        """Return the domain under which `gate` will be asked."""
        if cls._one is None:
            cls._one = cls(zmq.Context.instance())
            cls._one.start()
        domain = f"publisher-{next(cls._numbers)}"
        cls._one.configure_curve_callback(domain, gate)
        return domain

    @classmethod
    def leave(cls, domain: str) -> None:
        if cls._one:
            cls._one.credentials_providers.pop(domain, None)

    @classmethod
    def serving(cls) -> bool:
        return cls._one is not None and cls._one.is_alive()

    async def handle_zap_message(self, msg: list[bytes]) -> None:
        _Authenticator.peer = msg[3].decode("utf-8", "replace") if len(msg) > 3 else ""
        await super().handle_zap_message(msg)

    def __del__(self) -> None:
        """Do not wait for a thread while the interpreter ends, as the base class does."""
