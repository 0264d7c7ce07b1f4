"""One reply over HTTP: what a venue lists is asked for seldom and is large."""

from __future__ import annotations

import asyncio
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
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

__all__ = ["fetch"]

TIMEOUT_S: Final = 15.0
"""For connecting, and for each silence while the reply arrives."""
WHOLE_TIMEOUT_S: Final = 60.0
"""For all of it: a reply that drips is never silent."""
QUOTE_TIMEOUT_S: Final = 2.0
"""For the beginning of a refusal."""
TIMEOUTS: Final = httpx.Timeout(TIMEOUT_S).as_dict()
HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "DragonflyBot"}
PIECE_BYTES: Final = 1 << 18
"""Inflated at once: between two pieces others have their turn."""


async def fetch(
    url: str,
    trust: Trust,
    max_bytes: int,
    standing: Standing | None = None,
    *,
    method: Literal["GET", "POST"] = "GET",
) -> bytes:
    """Return the body of a successful reply, of at most `max_bytes` as sent and once decompressed.

    A POST has no body. Redirects are not followed: they would let whoever answers choose what we
    ask next, within our own network as well.

    Raises:
        TransportError: no such reply; the error says how soon to try again.
    """
    standing = standing or Standing(SystemClock())
    with standing.attempt(url):
        proxy = proxy_of(url, os.environ)
        said = f"{url} through {proxy.told}" if proxy else url
        try:
            async with asyncio.timeout(WHOLE_TIMEOUT_S):
                return await trust.verify(
                    said,
                    lambda tls: _get(
                        method, url, said, _through(proxy, trust), tls, max_bytes, standing
                    ),
                )
        except TimeoutError:
            raise UnreachableError(f"{said} was not read within {WHOLE_TIMEOUT_S:g} s") from None
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
    method: str,
    url: str,
    said: str,
    through: httpx.Proxy | None,
    tls: ssl.SSLContext,
    max_bytes: int,
    standing: Standing,
) -> bytes:
    # Without the library's client, which reads where a redirect leads even if it is not to follow.
    request = httpx.Request(method, url, headers=HEADERS, extensions={"timeout": TIMEOUTS})
    body = bytearray()
    async with (
        httpx.AsyncHTTPTransport(verify=tls, trust_env=False, proxy=through) as transport,
        aclosing(await _answer(transport, request)) as response,
    ):
        if response.is_success:
            async for piece in _pieces(said, response, max_bytes):
                body += piece
            return bytes(body)
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
