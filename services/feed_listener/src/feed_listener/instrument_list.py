"""Fetches what a venue lists: one reply over HTTP, or a request on a WebSocket of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from feed_listener.client import Client, Connection, UnreachableError, fetch
from feed_listener.venue import FrameError, Venue

__all__ = ["fetcher"]

REPLY_LIMIT_S: Final = 15.0

Fetch = Callable[[], Awaitable[Mapping[str, str]]]


def fetcher(venue: Venue, client: Client, ws_url: str, rest_url: str, tls: ssl.SSLContext) -> Fetch:
    """Return a function that loads {instrument: symbol} in the way that `venue` offers.

    The function raises `ClientError` when there is no reply, `FrameError` when it is no list.
    """
    source = venue.instruments

    async def by_rest() -> Mapping[str, str]:
        url = f"{rest_url}{source.rest_path}"
        return _checked(venue.parse_instruments(await fetch(url, tls, source.max_reply_bytes)))

    async def by_websocket() -> Mapping[str, str]:
        connection = await client.connect(venue.connect_url(ws_url))
        try:
            await connection.send(source.ws_request or "")
            async with asyncio.timeout(REPLY_LIMIT_S):
                return await _first_list(venue, connection)
        except TimeoutError:
            raise UnreachableError(
                f"{venue.name} sent no instrument list within {REPLY_LIMIT_S:g} s"
            ) from None
        finally:
            await connection.close()

    return by_websocket if source.ws_request is not None else by_rest


async def _first_list(venue: Venue, connection: Connection) -> Mapping[str, str]:
    while (symbols := venue.parse_instruments(await connection.receive())) is None:
        pass
    return _checked(symbols)


def _checked(symbols: Mapping[str, str] | None) -> Mapping[str, str]:
    if not symbols:
        raise FrameError("not_instruments", "the list is empty")
    return symbols
