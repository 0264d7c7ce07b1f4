"""The client layer: connections to a venue, a builder per protocol."""

from dragonfly_venues.transport.builder import (
    REST_SCHEMES,
    STREAM_SCHEMES,
    ClientOptions,
    build_client,
    check_url,
)
from dragonfly_venues.transport.connection import Client, Connection
from dragonfly_venues.transport.errors import (
    BannedError,
    CertificateError,
    ClientError,
    ClosedError,
    ProtocolError,
    ProxyError,
    RejectedError,
    UnforeseenError,
    UnreachableError,
    UnresponsiveError,
    foreseen,
)
from dragonfly_venues.transport.rest import fetch
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust, trusted

__all__ = [
    "REST_SCHEMES",
    "STREAM_SCHEMES",
    "BannedError",
    "CertificateError",
    "Client",
    "ClientError",
    "ClientOptions",
    "ClosedError",
    "Connection",
    "ProtocolError",
    "ProxyError",
    "RejectedError",
    "Standing",
    "Trust",
    "UnforeseenError",
    "UnreachableError",
    "UnresponsiveError",
    "build_client",
    "check_url",
    "fetch",
    "foreseen",
    "trusted",
]
