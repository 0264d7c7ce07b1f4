"""A gateway's capacity, and who may come in: descriptors, networks, open doors."""

from __future__ import annotations

import ipaddress
import resource
from typing import Final

import structlog
from dragonfly_common.discovery import is_loopback
from dragonfly_common.runtime import Runtime

from dragonfly_views.access import Access

__all__ = ["connections_within_limit", "network_of", "normal_address", "warn_of_open_doors"]

OWN_DESCRIPTORS: Final = 256
"""For the bus, whose sockets are made anew when an aggregator is lost, and for files."""
LEAST_CONNECTIONS: Final = 16

_IPV6_NETWORK_BITS: Final = 64

logger = structlog.get_logger()


def connections_within_limit(wanted: int) -> int:
    """Raise this process's limit of descriptors for `wanted` connections; return how many fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OWN_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            most = max(LEAST_CONNECTIONS, soft - OWN_DESCRIPTORS)
            logger.warning(
                "few file descriptors", limit=soft, connections=most, remedy=f"ulimit -n {needed}"
            )
            return most
    return wanted


def normal_address(address: str) -> str:
    """Return an IP address as it is written shortest, of IPv4 also where IPv6 carries it."""
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def network_of(address: str) -> str:
    """Return whom strangers of an address are counted with: of IPv6, a network of 64 bits."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((int(ip), _IPV6_NETWORK_BITS), strict=False))


def warn_of_open_doors(
    runtime: Runtime, access: Access, address: str, *, encrypted: bool, asks_certificates: bool
) -> None:
    """Warn of what others than bots can read or use at `address`."""
    asks = access.asks_tokens
    if asks and not encrypted and not is_loopback(address):
        logger.warning("tokens travel in the clear", remedy="serve with --tls-cert and --tls-key")
    elif not encrypted:
        risk = "everybody who reaches it is served, in the clear"
        runtime.warn_if_open(address, risk, "give --tls-cert, --tls-key and --tokens")
    elif not asks and not asks_certificates:
        risk = "everybody who reaches it is served"
        runtime.warn_if_open(address, risk, "give --tokens or --tls-client-ca")
