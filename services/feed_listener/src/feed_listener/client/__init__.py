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
    CertificateError,
    ClientError,
    ClosedError,
    ProtocolError,
    RejectedError,
    UnreachableError,
    UnresponsiveError,
)
from feed_listener.client.rest import fetch
from feed_listener.client.tls import trusted

__all__ = [
    "REST_SCHEMES",
    "STREAM_SCHEMES",
    "CertificateError",
    "Client",
    "ClientError",
    "ClientOptions",
    "ClosedError",
    "Connection",
    "ProtocolError",
    "RejectedError",
    "UnreachableError",
    "UnresponsiveError",
    "build_client",
    "check_url",
    "fetch",
    "trusted",
]
