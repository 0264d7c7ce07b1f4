"""Fetches what a venue lists: one reply over HTTP, or a request on a WebSocket of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from dragonfly_venues.events import FrameError
from dragonfly_venues.transport import (
    Connection,
    RejectedError,
    Standing,
    Trust,
    UnreachableError,
    VenueClient,
    fetch,
)
from dragonfly_venues.venue import InstrumentSource, Market, Venue

from feed_listener.directory import Fetch

__all__ = ["fetcher"]

REPLY_LIMIT_S: Final = 15.0
GONE: Final = frozenset({404, 405, 410})
"""HTTP statuses by which a venue says that a path is no longer, or not yet, there."""


def fetcher(
    venue: Venue,
    client: VenueClient,
    ws_url: str,
    rest_url: str,
    trust: Trust,
    standing: Standing | None = None,
) -> Fetch:
    """Return a function that loads markets by instrument in the way that `venue` offers.

    The function raises `TransportError` when there is no reply, `FrameError` when it is no list.
    """
    source = venue.instruments

    async def at(path: str) -> Mapping[str, Market]:
        reply = await fetch(f"{rest_url}{path}", trust, source.max_reply_bytes, standing)
        return _checked(source.parse(reply))

    async def by_rest(symbols: Sequence[str]) -> Mapping[str, Market]:
        if source.part_path is not None and symbols:
            return await at(source.part_path(symbols))
        try:
            return await at(source.rest_path or "")
        except (FrameError, RejectedError) as error:
            gone = isinstance(error, FrameError) or error.status in GONE
            if source.other_rest_path is None or not gone:
                raise
            with suppress(FrameError, RejectedError):
                return await at(source.other_rest_path)
            raise

    async def by_websocket(_: Sequence[str]) -> Mapping[str, Market]:
        connection = await client.connect(venue.connect_url(ws_url))
        try:
            await connection.send(source.ws_request or "")
            async with asyncio.timeout(REPLY_LIMIT_S):
                return await _first_list(source, connection)
        except TimeoutError:
            raise UnreachableError(
                f"{venue.name} sent no instrument list within {REPLY_LIMIT_S:g} s"
            ) from None
        finally:
            await connection.close()

    return by_websocket if source.ws_request is not None else by_rest


async def _first_list(source: InstrumentSource, connection: Connection) -> Mapping[str, Market]:
    while (markets := source.parse(await connection.receive())) is None:
        pass
    return _checked(markets)


def _checked(markets: Mapping[str, Market] | None) -> Mapping[str, Market]:
    if not markets:
        raise FrameError("not_instruments", "the list is empty")
    return markets
