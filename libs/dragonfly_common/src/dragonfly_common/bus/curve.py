"""Keys over tcp: key files, the trust file, what the roles allow, and who is let in by CURVE.

A key file holds the pair of one process, two lines. The trust file lists the public keys of all,
`role public-key [comment]` a line; it is the same everywhere and holds no secret. Keys are written
in Z85, as ZeroMQ has them.

CURVE alone encrypts and lets anybody in. Whether a key may enter is asked by ZeroMQ over its
authentication protocol (ZAP) of one thread per process, which knows each publisher by a name of
its own, its domain. When nobody answers, nobody enters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Final

import structlog
import zmq
from zmq.auth.thread import ThreadAuthenticator

from dragonfly_common import counters
from dragonfly_common.bus.flood_guard import Subscriptions
from dragonfly_common.bus.zmq_sockets import FAILURES, next_event
from dragonfly_common.clock import Clock
from dragonfly_common.errors import ConfigError
from dragonfly_common.pace import SayOnce
from dragonfly_common.secret_files import check_not_for_all, file_stamp, warn_if_exposed

__all__ = ["CurveAuth", "Keys", "Role", "ServerKeys", "new_pair", "parse_trust", "short"]

RECHECK_INTERVAL_S: Final = 1.0
REPEAT_INTERVAL_S: Final = 60.0
"""The same refusal is logged again after so long."""
MOST_REMEMBERED: Final = 100
"""And so many different ones: new keys cost a stranger nothing, and must not fill the log."""

_KEY: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_MOST_BYTES: Final = 1 << 20

logger = structlog.get_logger()


class Role(StrEnum):
    """The roles of a process on the bus."""

    LISTENER = "listener"
    AGGREGATOR = "aggregator"
    GATEWAY = "gateway"
    ENGINE = "engine"


_SUBSCRIBERS: Final = {
    # Those of its own role are its peers.
    Role.LISTENER: {Role.AGGREGATOR, Role.LISTENER},
    Role.AGGREGATOR: {Role.GATEWAY, Role.AGGREGATOR, Role.ENGINE},
    Role.GATEWAY: set[Role](),
    Role.ENGINE: {Role.GATEWAY},
}


_UPSTREAM: Final = {
    Role.LISTENER: Role.LISTENER,
    Role.AGGREGATOR: Role.LISTENER,
    Role.GATEWAY: Role.AGGREGATOR,
    Role.ENGINE: Role.AGGREGATOR,
}


class Keys:
    """The pair of this process, and the keys that it trusts at the moment."""

    def __init__(self, role: Role, key_file: Path, trust_file: Path) -> None:
        """Read both files.

        Raises:
            ConfigError: one of them cannot be read or is malformed, or the pair is none.
        """
        self.role = role
        self.public, self.secret = _read_pair(key_file)
        self._key_file = key_file
        self._trust_file = trust_file
        self.version = 0
        """Another number whenever other keys are trusted."""
        self._stamp = file_stamp(trust_file)
        self._trust(_read_trust(trust_file))
        self._next_check = 0.0
        self._checked_own = False

    def trusted(self, role: Role) -> tuple[bytes, ...]:
        """Return the keys of `role`, in the order of the trust file."""
        return self._by_role[role]

    def refusal(self, key: bytes) -> str | None:
        """Return why a subscriber with this key may not connect to this process; None if it may.

        Safe in any thread.
        """
        role = self._trusted.get(key)
        if role is None:
            return "unknown key"
        if role not in _SUBSCRIBERS[self.role]:
            return f"a key of role {role} may not subscribe to role {self.role}"
        return None

    def refresh(self, now: float) -> None:
        """Read the trust file again if it changed; not more often than once a second.

        One that cannot be read or is malformed changes nothing: it is logged and counted.
        """
        if now < self._next_check:
            return
        self._next_check = now + RECHECK_INTERVAL_S
        if not self._checked_own:
            self._checked_own = True
            self._check_own()
        stamp = file_stamp(self._trust_file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            trusted = _read_trust(self._trust_file)
        except ConfigError as error:
            counters.TRUST_FAILURES.inc()
            logger.warning("trust file not read", reason=str(error))
            return
        if trusted == self._trusted:
            return
        added, removed = (
            trusted.keys() - self._trusted.keys(),
            self._trusted.keys() - trusted.keys(),
        )
        self._trust(trusted)
        logger.info(
            "trust file read", added=sorted(map(short, added)), removed=sorted(map(short, removed))
        )
        self._check_own()

    def _trust(self, trusted: Mapping[bytes, Role]) -> None:
        # Replaced whole: the authenticator's thread reads it.
        self.version += 1
        self._trusted = trusted
        self._by_role = {
            role: tuple(key for key, its in trusted.items() if its is role) for role in Role
        }

    def _check_own(self) -> None:
        if self._trusted.get(self.public) is not self.role:
            logger.warning(
                "own key not trusted",
                key=short(self.public),
                role=self.role.value,
                remedy=f"others will refuse it until {self._trust_file} lists it",
            )
        with suppress(OSError):  # it was read; it need not be there any more
            warn_if_exposed(self._key_file)


class ServerKeys:
    """The keys of those to whom a subscriber connects: any of them, and nobody else's."""

    def __init__(self, keys: Keys, role: Role | None = None) -> None:
        """Take the keys of `role`; by default that of a process's usual upstreams."""
        self.keys = keys
        self.role = role or _UPSTREAM[keys.role]

    @property
    def trusted(self) -> tuple[bytes, ...]:
        return self.keys.trusted(self.role)


class CurveAuth:
    """Guards one publisher's socket."""

    def __init__(
        self, socket: zmq.Socket[bytes], keys: Keys, subscriptions: Subscriptions, clock: Clock
    ) -> None:
        """Prepare `socket`, which must not be bound yet; its subscribers are in `subscriptions`."""
        self._subscriptions = subscriptions
        self._socket = socket
        self._keys = keys
        self._clock = clock
        self._version = keys.version
        self._once = SayOnce(REPEAT_INTERVAL_S, MOST_REMEMBERED)
        self._domain = _Authenticator.enter(self)
        socket.setsockopt(zmq.ZAP_DOMAIN, self._domain.encode())
        # Without it, a process whose authenticator is gone would let everybody in.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        self._monitor = socket.get_monitor_socket(FAILURES)

    def callback(self, domain: str, key: bytes) -> bool:
        """Say whether a subscriber with this key may enter; asked in the authenticator's thread."""
        refusal = self._keys.refusal(key)
        if refusal:
            self._warn(
                "subscriber refused", peer=_Authenticator.peer, key=short(key), reason=refusal
            )
        return refusal is None

    def look(self) -> None:
        """Count the connections that failed, and cut those whose key is trusted no more.

        Who has subscribed to nothing yet, and so hears nothing, is cut when it does.

        Raises:
            RuntimeError: the authenticator is gone, and nobody could connect any more.
        """
        self._keys.refresh(self._clock.monotonic())
        while event := next_event(self._monitor):
            if event.failure:
                counters.BUS_HANDSHAKE_FAILURES.labels("publisher", event.failure).inc()
                if event.failure != "auth":
                    self._warn("subscriber refused", reason=event.failure)
        if self._version != self._keys.version:
            self._version = self._keys.version
            if cut := self._subscriptions.cut_refused():
                logger.warning("subscribers cut off", connections=cut, reason="key trusted no more")
        if not _Authenticator.serving():
            raise RuntimeError("the authenticator of the bus has ended")

    def close(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close()
        _Authenticator.leave(self._domain)

    def _warn(self, event: str, **facts: str) -> None:
        if self._once.due(self._clock.monotonic(), tuple(facts.values())):
            logger.warning(event, **facts)


class _Authenticator(ThreadAuthenticator):
    """The one that answers for all publishers of this process, until that ends."""

    peer = ""
    """The peer that asks now; read in the authenticator's thread."""
    _one: _Authenticator | None = None
    _numbers = count(1)

    @classmethod
    def enter(cls, gate: CurveAuth) -> str:
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


def new_pair() -> tuple[bytes, bytes]:
    """Return a new key pair: public, secret."""
    return zmq.curve_keypair()


def short(key: bytes) -> str:
    """Return the beginning of a public key: enough to find it in the trust file."""
    return key[:8].decode("ascii", "replace")


def parse_trust(text: str) -> dict[bytes, Role]:
    """Return whose each trusted key is.

    Raises:
        ValueError: a line is malformed, or names a key for the second time; says which and why.
    """
    trusted: dict[bytes, Role] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in set(Role):
            raise ValueError(f"line {number}: {words[0][:20]!r} is not one of {', '.join(Role)}")
        if len(words) < 2 or not _is_key(words[1]):
            raise ValueError(f"line {number}: a public key has 40 characters of Z85")
        key = words[1].encode()
        if key in trusted:
            raise ValueError(f"line {number}: the key {short(key)}… is there twice")
        trusted[key] = Role(words[0])
    return trusted


def _is_key(text: str) -> bool:
    """Say whether `text` is a key: not all 40 characters of Z85 are 32 bytes."""
    if not _KEY.fullmatch(text):
        return False
    try:
        zmq.curve_public(text.encode())
    except zmq.ZMQError:
        return False
    return True


def _read_trust(path: Path) -> dict[bytes, Role]:
    try:
        return parse_trust(_read(path))
    except ValueError as error:
        raise ConfigError(
            f"{path} is not a trust file: {error}; write `role public-key` a line"
        ) from None


def _read_pair(path: Path) -> tuple[bytes, bytes]:
    pair: Mapping[str, str] = dict(
        line.split() for line in _read(path).splitlines() if len(line.split()) == 2
    )
    public, secret = (pair.get(name, "") for name in ("public", "secret"))
    if not (_is_key(public) and _is_key(secret)):
        raise ConfigError(
            f"{path} is not a key file: it needs a line `public KEY` and a line `secret KEY`; "
            "`dragonfly keys new` makes one"
        )
    if zmq.curve_public(secret.encode()) != public.encode():
        raise ConfigError(f"{path} holds two keys that are no pair; `dragonfly keys new` makes one")
    return public.encode(), secret.encode()


def _read(path: Path) -> str:
    try:
        check_not_for_all(path)
        with path.open(encoding="ascii") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"cannot read {path}: it is not plain text") from None
