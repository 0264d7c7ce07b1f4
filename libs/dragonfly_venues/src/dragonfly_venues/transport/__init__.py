"""The client layer: connections to a venue, a builder per protocol."""

from dragonfly_venues.transport.builder import (
    REST_SCHEMES,
    STREAM_SCHEMES,
    ClientOptions,
    build_client,
    check_fix_url,
    check_url,
)
from dragonfly_venues.transport.connection import Connection, VenueClient
from dragonfly_venues.transport.errors import (
    BannedError,
    ClosedError,
    LogonRefusedError,
    ProxyError,
    RejectedError,
    TransportError,
    UnforeseenError,
    UnreachableError,
    UnresponsiveError,
    VenueCertificateError,
    VenueProtocolError,
    foreseen,
)
from dragonfly_venues.transport.fix_key import read_fix_key
from dragonfly_venues.transport.rest import (
    HttpReply,
    HttpRequest,
    KeptConnections,
    exchange,
    fetch,
)
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust, trusted

__all__ = [
    "REST_SCHEMES",
    "STREAM_SCHEMES",
    "BannedError",
    "ClientOptions",
    "ClosedError",
    "Connection",
    "HttpReply",
    "HttpRequest",
    "KeptConnections",
    "LogonRefusedError",
    "ProxyError",
    "RejectedError",
    "Standing",
    "TransportError",
    "Trust",
    "UnforeseenError",
    "UnreachableError",
    "UnresponsiveError",
    "VenueCertificateError",
    "VenueClient",
    "VenueProtocolError",
    "build_client",
    "check_fix_url",
    "check_url",
    "exchange",
    "fetch",
    "foreseen",
    "read_fix_key",
    "trusted",
]
