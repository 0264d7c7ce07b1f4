"""Where a connection's socket is: at a URL that stands fast, or where the venue says each time."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from dragonfly_common.printable import printable
from dragonfly_venues.events import FrameError
from dragonfly_venues.transport import Standing, Trust, VenueProtocolError, fetch
from dragonfly_venues.transport.builder import STREAM_SCHEMES
from dragonfly_venues.venue import Venue

__all__ = ["Locate", "check_endpoint", "locator"]

Locate = Callable[[int], Awaitable[str]]
"""From a connection's number to the URL that it is opened to; raises `TransportError`."""

SHARED_BELOW_COUNTRIES: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "or", "org"})
"""Second labels that many owners share, as in `co.uk`."""
QUOTED: Final = 120


def locator(
    venue: Venue, ws_url: str, rest_url: str, trust: Trust, standing: Standing | None = None
) -> Locate:
    """Return how connections of `venue` are located; one that tells its socket is asked each time.

    `ws_url` and `rest_url` are base addresses. A venue that tells its socket is not connected to at
    `ws_url`.
    """
    source, fixed = venue.endpoint, venue.connect_url(ws_url)
    if source is None:

        async def stay(_: int) -> str:
            return fixed

        return stay
    asked = f"{rest_url}{source.rest_path}"
    parse, most = source.parse, source.max_reply_bytes

    async def ask(number: int) -> str:
        reply = await fetch(asked, trust, most, standing, method="POST")
        try:
            url = parse(reply, number)
        except FrameError as error:
            raise VenueProtocolError(f"{asked} names no socket ({error})") from None
        check_endpoint(url, asked)
        return url

    return ask


def check_endpoint(url: str, asked: str) -> None:
    """Let pass a socket that belongs to whoever answered at `asked`.

    A reply, perhaps forged, must not choose whom we connect to within our own network, nor that
    what was encrypted no longer is.

    Raises:
        VenueProtocolError: it is elsewhere, or no socket.
    """
    rest, shown = urlsplit(asked), printable(url.partition("?")[0])[:QUOTED]
    try:
        named = urlsplit(url)
        usable = named.scheme in STREAM_SCHEMES and bool(named.hostname) and named.port != 0
    except ValueError:
        usable = False
    if not usable:
        wanted = " or ".join(f"{scheme}://" for scheme in STREAM_SCHEMES)
        raise VenueProtocolError(
            f"{asked} names the socket {shown!r}, which is no {wanted} address"
        )
    if rest.scheme == "https" and named.scheme != "wss":
        raise VenueProtocolError(
            f"{asked} names the socket {shown!r}: asked for over https it must be wss"
        )
    if not _belong_together(named, rest):
        raise VenueProtocolError(
            f"{asked} names the socket {shown!r}: only {rest.hostname} and hosts of its own domain "
            "are connected to"
        )


def _belong_together(named: SplitResult, rest: SplitResult) -> bool:
    socket, asked = named.hostname or "", rest.hostname or ""
    if socket == asked:
        return True
    domain = _domain(asked)
    return domain is not None and (socket == domain or socket.endswith(f".{domain}"))


def _domain(host: str) -> str | None:
    """Return the domain that somebody registered, of a host below it; None of an address."""
    labels = host.split(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return None
    count = 3 if labels[-2:-1] and _is_shared(*labels[-2:]) else 2
    return ".".join(labels[-count:]) if len(labels) >= count else None


def _is_shared(second: str, last: str) -> bool:
    return len(last) == 2 and second in SHARED_BELOW_COUNTRIES
