"""One builder per protocol, chosen by a URL's scheme.

Another protocol is one module with a `VenueClient`, and its schemes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
from dragonfly_common.clock import SystemClock
from dragonfly_common.errors import ConfigError

from dragonfly_venues.transport.connection import VenueClient
from dragonfly_venues.transport.proxies import is_private
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust
from dragonfly_venues.transport.websocket import WebSocketClient
from dragonfly_venues.venue import FixKey, LogonTerms

__all__ = [
    "REST_SCHEMES",
    "STREAM_SCHEMES",
    "ClientOptions",
    "build_client",
    "check_fix_url",
    "check_url",
]


@dataclass(frozen=True)
class ClientOptions:
    """The options of a client, by the venue it will talk to."""

    trust: Trust
    max_frame_bytes: int
    compression: bool
    standing: Standing = field(default_factory=lambda: Standing(SystemClock()))
    fix: tuple[LogonTerms, FixKey] | None = None
    """How to log on, where the URL is of FIX."""


def _websocket(options: ClientOptions) -> VenueClient:
    return WebSocketClient(
        trust=options.trust,
        max_frame_bytes=options.max_frame_bytes,
        compression=options.compression,
        standing=options.standing,
    )


def _fix(options: ClientOptions) -> VenueClient:
    if options.fix is None:
        raise ConfigError("a session of FIX is logged on to with a key, and none was given")
    from dragonfly_venues.transport.fix import FixVenueClient  # noqa: PLC0415 - few listeners need it

    logon, key = options.fix
    return FixVenueClient(
        trust=options.trust,
        max_frame_bytes=options.max_frame_bytes,
        standing=options.standing,
        logon=logon,
        key=key,
    )


_BUILDERS: Final[Mapping[str, Callable[[ClientOptions], VenueClient]]] = {
    "ws": _websocket,
    "wss": _websocket,
    "fix": _fix,
    "fix+tls": _fix,
}
STREAM_SCHEMES: Final = ("ws", "wss")
"""Schemes by which a venue's stream can be reached."""
FIX_SCHEMES: Final = ("fix+tls", "fix")
"""Schemes by which it can be reached where it is of FIX."""
REST_SCHEMES: Final = ("http", "https")
"""Schemes by which a venue's list can be fetched."""


def build_client(url: str, options: ClientOptions) -> VenueClient:
    """Return a client for the protocol of `url`, as `check_url` let it pass."""
    return _BUILDERS[urlsplit(url).scheme](options)


def check_url(url: str, option: str, schemes: tuple[str, ...]) -> str:
    """Return `url` without a closing slash, if it can be connected to.

    Raises:
        ConfigError: it cannot; the sentence names `option` and shows the form.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(httpx.URL(url).host) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise ConfigError(
            f"{option} {url!r} is not a URL to connect to:"
            f" write {' or '.join(schemes)}://host[:port][/path]"
        )
    return url.rstrip("/")


def check_fix_url(url: str, option: str) -> str:
    """Return `url`, if FIX can be spoken there without showing anybody the API key.

    Raises:
        ConfigError: it cannot be connected to, or is not encrypted and not of this network.
    """
    url = check_url(url, option, FIX_SCHEMES)
    parts = urlsplit(url)
    if parts.scheme == "fix" and not is_private(parts.hostname or ""):
        raise ConfigError(
            f"{option} {url} would show the API key to whoever is on the way: write"
            f" fix+tls://{parts.netloc}"
        )
    return url
