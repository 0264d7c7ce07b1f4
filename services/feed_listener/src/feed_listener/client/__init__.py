"""The client layer: connections to a venue, a builder per protocol."""

from feed_listener.client.builder import (
    REST_SCHEMES,
    STREAM_SCHEMES,
    ClientOptions,
    build_client,
    check_url,
)
from feed_listener.client.connection import Client, Connection
from feed_listener.client.errors import (
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
from feed_listener.client.rest import fetch
from feed_listener.client.standing import Standing
from feed_listener.client.tls import Trust, trusted

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
