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
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust
from dragonfly_venues.transport.websocket import WebSocketClient

__all__ = ["REST_SCHEMES", "STREAM_SCHEMES", "ClientOptions", "build_client", "check_url"]


@dataclass(frozen=True)
class ClientOptions:
    """What a client is told of the venue it will talk to."""

    trust: Trust
    max_frame_bytes: int
    compression: bool
    standing: Standing = field(default_factory=lambda: Standing(SystemClock()))


def _websocket(options: ClientOptions) -> VenueClient:
    return WebSocketClient(
        trust=options.trust,
        max_frame_bytes=options.max_frame_bytes,
        compression=options.compression,
        standing=options.standing,
    )


_BUILDERS: Final[Mapping[str, Callable[[ClientOptions], VenueClient]]] = {
    "ws": _websocket,
    "wss": _websocket,
}
STREAM_SCHEMES: Final = tuple(_BUILDERS)
"""What a venue's stream can be reached by."""
REST_SCHEMES: Final = ("http", "https")
"""What a venue's list can be fetched by."""


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
