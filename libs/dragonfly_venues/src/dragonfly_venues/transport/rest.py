"""One reply over HTTP, over a connection of its own, or one that is kept for the next."""

from __future__ import annotations

import asyncio
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

import httpx
from dragonfly_common.clock import SystemClock

from dragonfly_venues.transport.errors import (
    QUOTED_BYTES,
    ProxyError,
    RejectedError,
    TransportError,
    UnreachableError,
    VenueProtocolError,
)
from dragonfly_venues.transport.proxies import Proxy, proxy_of
from dragonfly_venues.transport.standing import Standing
from dragonfly_venues.transport.tls import Trust

__all__ = ["HttpReply", "HttpRequest", "KeptConnections", "exchange", "fetch"]

TIMEOUT_S: Final = 15.0
"""For connecting, and for each silence while the reply arrives."""
WHOLE_TIMEOUT_S: Final = 60.0
"""For all of it: a reply that drips is never silent."""
QUOTE_TIMEOUT_S: Final = 2.0
"""For the beginning of a refusal."""
TIMEOUTS: Final = httpx.Timeout(TIMEOUT_S).as_dict()
HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "DragonflyBot"}
ABOUT_TO_SEND: Final = "http11.send_request_headers.started"
"""The library's word for it, of a proxy's tunnel as well."""
KEPT_S: Final = 20.0
"""A connection that rested for so long is not used again: venues end what rests for longer."""
PIECE_BYTES: Final = 1 << 18
"""Inflated at once: between two pieces others have their turn."""

ONCE: Final = httpx.Limits(max_keepalive_connections=0)

_Transport = AbstractAsyncContextManager[httpx.AsyncHTTPTransport]
_Trace = Callable[[str, object], Awaitable[None]]


@dataclass(frozen=True)
class HttpRequest:
    """A request. No representation shows more than the URL: the rest may be signed."""

    url: str
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    before_sending: Callable[[], None] = field(default=lambda: None, repr=False)
    """Called when the connection is there and the request is about to leave: what it raises, a
    `TransportError`, keeps it back."""


@dataclass(frozen=True)
class HttpReply:
    """A successful reply: its body decompressed."""

    body: bytes
    headers: Mapping[str, str]
    """By names in any case."""


class KeptConnections:
    """Connections that stay open after a reply, so that the next request need not open one.

    One that its other end has closed is not used; where that happens just as a request leaves, the
    request may have left, as with any that gets no reply.
    """

    def __init__(self) -> None:
        self._transports: dict[tuple[ssl.SSLContext, str], httpx.AsyncHTTPTransport] = {}

    def transport(self, tls: ssl.SSLContext, through: Proxy | None, trust: Trust) -> _Transport:
        """Return the one for these, which stays open when it is left."""
        key = (tls, through.url if through else "")
        if key not in self._transports:
            self._transports[key] = _transport(
                tls, through, trust, httpx.Limits(keepalive_expiry=KEPT_S)
            )
        return nullcontext(self._transports[key])

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()


async def fetch(
    url: str,
    trust: Trust,
    max_bytes: int,
    standing: Standing | None = None,
    *,
    method: Literal["GET", "POST"] = "GET",
) -> bytes:
    """Return the body of a successful reply; see `exchange`. A POST has no body."""
    request = HttpRequest(url, method)
    return (await exchange(request, trust, max_bytes, standing)).body


async def exchange(
    request: HttpRequest,
    trust: Trust,
    max_bytes: int,
    standing: Standing | None = None,
    *,
    within_s: float | None = None,
    kept: KeptConnections | None = None,
) -> HttpReply:
    """Return a successful reply, of at most `max_bytes` as sent and once decompressed.

    It is asked once: nothing is repeated that may have left. Redirects are not followed: they would
    let whoever answers choose what we ask next, within our own network as well.

    Raises:
        TransportError: no such reply; the error says how soon to try again, and whether the request
            may have left.
    """
    left = False

    async def trace(step: str, _: object) -> None:
        nonlocal left
        if step == ABOUT_TO_SEND:
            request.before_sending()
            left = True

    standing = standing or Standing(SystemClock())
    try:
        return await _exchange(request, trust, max_bytes, standing, within_s, trace, kept)
    except TransportError as failure:
        failure.may_have_left = left
        raise


async def _exchange(
    request: HttpRequest,
    trust: Trust,
    max_bytes: int,
    standing: Standing,
    within_s: float | None,
    trace: _Trace,
    kept: KeptConnections | None,
) -> HttpReply:
    url, within_s = request.url, within_s or WHOLE_TIMEOUT_S
    with standing.attempt(url):
        proxy = proxy_of(url, os.environ)
        said = f"{url} through {proxy.told}" if proxy else url
        try:
            async with asyncio.timeout(within_s):
                return await trust.verify(
                    said,
                    lambda tls: _get(
                        request,
                        said,
                        kept.transport(tls, proxy, trust)
                        if kept
                        else _transport(tls, proxy, trust),
                        max_bytes,
                        standing,
                        trace,
                    ),
                )
        except TimeoutError:
            raise UnreachableError(f"{said} was not read within {within_s:g} s") from None
        except httpx.TimeoutException:
            raise UnreachableError(f"{said} did not answer within {TIMEOUT_S:g} s") from None
        except httpx.NetworkError as error:
            why = str(error).lower() or "cut off"
            raise UnreachableError(f"{said} cannot be reached: {why}") from error
        except httpx.ProxyError as error:
            raise ProxyError(f"{said} cannot be reached, it answers: {error}") from None
        except httpx.HTTPError as error:
            raise VenueProtocolError(f"{said} does not speak HTTP: {error}") from None
        except Exception as error:
            if isinstance(error, TransportError) or proxy is None or not proxy.speaks_socks:
                raise
            # The library asserts what it has read.
            raise ProxyError(f"{said} cannot be reached: it does not speak SOCKS") from error


async def _get(
    asked: HttpRequest,
    said: str,
    connections: _Transport,
    max_bytes: int,
    standing: Standing,
    trace: _Trace,
) -> HttpReply:
    # Without the library's client, which reads where a redirect leads even if it is not to follow.
    request = httpx.Request(
        asked.method,
        asked.url,
        headers={**HEADERS, **asked.headers},
        content=asked.body or None,
        extensions={"timeout": TIMEOUTS, "trace": trace},
    )
    body = bytearray()
    async with (
        connections as transport,
        aclosing(await _answer(transport, request)) as response,
    ):
        if response.is_success:
            async for piece in _pieces(said, response, max_bytes):
                body += piece
            return HttpReply(bytes(body), response.headers)
        with suppress(TimeoutError, httpx.HTTPError, VenueProtocolError):
            async with asyncio.timeout(QUOTE_TIMEOUT_S):
                async for piece in _pieces(said, response, QUOTED_BYTES):
                    body += piece
        raise RejectedError(
            said,
            response.status_code,
            response.headers.get("Retry-After"),
            now_s=standing.now_s,
            location=response.headers.get("Location"),
            body=bytes(body),
        )


async def _answer(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    """Return the reply, its body unread.

    Raises:
        ssl.SSLCertVerificationError: the certificate is not good.
        httpx.HTTPError: there is no reply.
    """
    try:
        return await transport.handle_async_request(request)
    except httpx.ConnectError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        raise


def _transport(
    tls: ssl.SSLContext, proxy: Proxy | None, trust: Trust, limits: httpx.Limits = ONCE
) -> httpx.AsyncHTTPTransport:
    through = _through(proxy, trust)
    return httpx.AsyncHTTPTransport(verify=tls, trust_env=False, proxy=through, limits=limits)


def _through(proxy: Proxy | None, trust: Trust) -> httpx.Proxy | None:
    if proxy is None:
        return None
    return httpx.Proxy(proxy.url, ssl_context=trust.proxies if proxy.encrypted else None)


async def _pieces(url: str, response: httpx.Response, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body decompressed, until that or what was sent exceeds `max_bytes`.

    Not by the library, which undoes any number of codings, one within the other, without a bound.

    Raises:
        VenueProtocolError: it is too long, cut off, or in a coding that was not asked for.
    """
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity", "gzip"}:
        raise VenueProtocolError(
            f"{url} sent its reply in the coding {coding!r}; gzip was asked for"
        )
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16) if coding == "gzip" else None
    sent = yielded = 0
    async for data in response.aiter_raw():
        sent += len(data)
        for piece in _inflated(url, data, inflater) if inflater else (data,):
            yielded += len(piece)
            yield piece
            if max(sent, yielded) > max_bytes:
                raise VenueProtocolError(f"{url} sent more than {max_bytes} bytes")
            await asyncio.sleep(0)
    if inflater is not None and not inflater.eof:
        raise VenueProtocolError(f"{url} sent a reply that is cut off")


def _inflated(url: str, data: bytes, inflater: zlib._Decompress) -> Iterator[bytes]:
    """Yield what `data` adds, in pieces."""
    full = True
    while full:
        try:
            piece = inflater.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            raise VenueProtocolError(f"{url} sent what is not gzip: {error}") from None
        data = inflater.unconsumed_tail
        full = len(piece) == PIECE_BYTES
        yield piece
