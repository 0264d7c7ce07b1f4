"""Fetches what a venue lists: one reply over HTTP, or a request on a WebSocket of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from feed_listener.client import Client, Connection, UnreachableError, fetch
from feed_listener.directory import Fetch
from feed_listener.venue import FrameError, Market, Venue

__all__ = ["fetcher"]

REPLY_LIMIT_S: Final = 15.0


def fetcher(venue: Venue, client: Client, ws_url: str, rest_url: str, tls: ssl.SSLContext) -> Fetch:
    """Return a function that loads markets by instrument in the way that `venue` offers.

    The function raises `ClientError` when there is no reply, `FrameError` when it is no list.
    """
    source = venue.instruments

    async def by_rest(symbols: Sequence[str]) -> Mapping[str, Market]:
        part = source.part_path
        url = f"{rest_url}{part(symbols) if part and symbols else source.rest_path}"
        return _checked(venue.parse_instruments(await fetch(url, tls, source.max_reply_bytes)))

    async def by_websocket(_: Sequence[str]) -> Mapping[str, Market]:
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


async def _first_list(venue: Venue, connection: Connection) -> Mapping[str, Market]:
    while (markets := venue.parse_instruments(await connection.receive())) is None:
        pass
    return _checked(markets)


def _checked(markets: Mapping[str, Market] | None) -> Mapping[str, Market]:
    if not markets:
        raise FrameError("not_instruments", "the list is empty")
    return markets
