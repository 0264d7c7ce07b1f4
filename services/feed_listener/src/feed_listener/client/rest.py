"""One reply over HTTP: what a venue lists is asked for seldom and is large."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

import httpx

from feed_listener.client.errors import (
    CertificateError,
    ClientError,
    ProtocolError,
    RejectedError,
    UnreachableError,
)
from feed_listener.client.tls import certificate_sentence

__all__ = ["fetch"]

TIMEOUT_S: Final = 15.0
"""For connecting, and for each silence while the reply arrives."""
WHOLE_TIMEOUT_S: Final = 60.0
"""For all of it: a reply that drips is never silent."""


async def fetch(url: str, tls: ssl.SSLContext, max_bytes: int) -> bytes:
    """Return the body of a successful GET, of at most `max_bytes` once decompressed.

    Raises:
        ClientError: no such reply; the error says how soon to try again.
    """
    try:
        async with (
            asyncio.timeout(WHOLE_TIMEOUT_S),
            httpx.AsyncClient(verify=tls, timeout=TIMEOUT_S, follow_redirects=True) as client,
            client.stream("GET", url) as response,
        ):
            if not response.is_success:
                retry_after = response.headers.get("Retry-After")
                raise RejectedError(url, response.status_code, retry_after)
            return await _read(url, response, max_bytes)
    except TimeoutError:
        raise UnreachableError(f"{url} was not read within {WHOLE_TIMEOUT_S:g} s") from None
    except httpx.TimeoutException:
        raise UnreachableError(f"{url} did not answer within {TIMEOUT_S:g} s") from None
    except httpx.NetworkError as error:
        raise _unreachable(url, error) from error
    except httpx.HTTPError as error:
        raise ProtocolError(f"{url} does not speak HTTP: {error}") from None


async def _read(url: str, response: httpx.Response, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise ProtocolError(f"{url} sent more than {max_bytes} bytes")
    return bytes(body)


def _unreachable(url: str, error: BaseException) -> ClientError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateError(certificate_sentence(url, cause))
        cause = cause.__cause__ or cause.__context__
    return UnreachableError(f"{url} cannot be reached: {str(error).lower() or 'cut off'}")
