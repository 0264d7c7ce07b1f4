"""The options of a simulator, checked against each other."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import warn_if_exposed

from venue_simulator.faults import PlannedFault
from venue_simulator.private_side import TradingSetup
from venue_simulator.truth import LOGGED_LEVELS
from venue_simulator.venue import trading_rules
from venue_simulator.venues import VENUES

__all__ = ["SimulatorOptions", "tls_context", "trading_venues"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """All of a simulator's settings; the defaults suit tests."""

    venues: tuple[str, ...] = tuple(VENUES)
    instruments: tuple[str, ...] = ()
    """Trade from the start, beside those that always do."""
    host: str = "127.0.0.1"
    port: int = 0
    rate: float = 0.0
    """States a second, for each book at each venue; with 0 the market moves by `step` alone."""
    faster: float = 1.0
    """How many times faster the venues' own clocks run: pings, heartbeats, limits of silence."""
    paced: bool = False
    """Streams send at the venues' own intervals; otherwise each state at once."""
    seed: int = 1
    captures: Path | None = None
    """Play recordings instead of the seeded market."""
    speed: float = 1.0
    truth_log: Path | None = None
    truth_levels: int = LOGGED_LEVELS
    keep_truth: bool = False
    """Also in memory, without bound: for tests."""
    faults: tuple[PlannedFault, ...] = ()
    trading: TradingSetup = field(default_factory=TradingSetup)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    fix: str | None = None
    """HOST:PORT of the venue that speaks FIX too; over TLS where the WebSockets are."""
    fix_keys: Path | None = None
    """The folder of the API keys that may log on; None: one that is made, and goes at the end."""


def trading_venues(names: Iterable[str]) -> list[str]:
    """Return those of the simulated venues that take orders."""
    return [name for name in names if trading_rules(VENUES[name]) is not None]


def tls_context(options: SimulatorOptions) -> ssl.SSLContext | None:
    """Return what the server needs for TLS, or None for plain sockets.

    Raises:
        ConfigError: one of certificate and key is missing, or not one.
    """
    cert, key = options.tls_cert, options.tls_key
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        given, missing = (
            ("--tls-key", "--tls-cert") if cert is None else ("--tls-cert", "--tls-key")
        )
        raise ConfigError(f"{given} was given without {missing}: TLS needs both")
    for path in (cert, key):
        if not path.is_file():
            raise ConfigError(f"no TLS file {str(path)!r}: name a PEM file that exists")
    warn_if_exposed(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"{str(cert)!r} and {str(key)!r} are no certificate and its key: "
            f"{error.strerror or error}; name two PEM files that belong together"
        ) from None
    return context
