from __future__ import annotations

import pytest
from dragonfly_venues.events import FrameError, Trading
from dragonfly_venues.transport import (
    ClientOptions,
    RejectedError,
    UnreachableError,
    build_client,
    trusted,
)
from dragonfly_venues.venue import Market
from fake_venue import FakeServer, FakeVenue, eventually, listing
from feed_listener import instrument_list
from feed_listener.directory import Fetch
from feed_listener.instrument_list import fetcher

LISTED = {
    "ETH-BTC": Market("ethbtc"),
    "BTC-USD": Market("btcusd"),
    "SOL-USD": Market("solusd"),
}
BY_WEBSOCKET = listing(ws_request='{"op": "list", "id": 1, "symbols": []}')


def fetch_from(server: FakeServer, venue: FakeVenue) -> Fetch:
    tls = trusted(None)
    client = build_client(server.ws_url, ClientOptions(tls, 2**16, compression=False))
    return fetcher(venue, client, server.ws_url, server.rest_url, tls)


async def test_a_list_by_rest(server: FakeServer) -> None:
    assert await fetch_from(server, FakeVenue())(()) == LISTED


async def test_a_part_of_a_list(server: FakeServer) -> None:
    server.halted = {"btcusd": "BREAK"}
    parts = listing(rest_path="/list", part_path=lambda names: f"/list/{','.join(names)}")
    fetch = fetch_from(server, FakeVenue(instruments=parts))
    assert await fetch(["ethbtc", "btcusd"]) == {
        "ETH-BTC": Market("ethbtc"),
        "BTC-USD": Market("btcusd", Trading(halted=True, word="BREAK")),
    }
    assert await fetch(()) == {
        **LISTED,
        "BTC-USD": Market("btcusd", Trading(halted=True, word="BREAK")),
    }


async def test_a_list_on_a_websocket_of_its_own(server: FakeServer) -> None:
    assert await fetch_from(server, FakeVenue(instruments=BY_WEBSOCKET))(()) == LISTED
    assert server.opened == 1
    await eventually(lambda: not server.open, "its end")


async def test_a_list_that_stays_out(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrument_list, "REPLY_LIMIT_S", 0.05)
    mute = listing(ws_request='{"op": "probe", "id": 1, "symbols": []}')
    with pytest.raises(UnreachableError, match="sent no instrument list within"):
        await fetch_from(server, FakeVenue(instruments=mute))(())


async def test_an_empty_list_is_none(server: FakeServer) -> None:
    server.listed = {}
    with pytest.raises(FrameError, match="empty"):
        await fetch_from(server, FakeVenue())(())


async def test_a_rejected_list(server: FakeServer) -> None:
    server.list_status = type(server.list_status).TOO_MANY_REQUESTS
    with pytest.raises(RejectedError):
        await fetch_from(server, FakeVenue())(())


TWO_PATHS = listing(rest_path="/markets", other_rest_path="/list")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_list_that_moved_is_read_where_it_was(server: FakeServer, status: int) -> None:
    server.pages["/markets"] = (status, "gone")
    assert await fetch_from(server, FakeVenue(instruments=TWO_PATHS))(()) == LISTED


async def test_a_page_that_is_no_list_is_no_reason_to_be_without(server: FakeServer) -> None:
    server.pages["/markets"] = (200, "<html>")
    assert await fetch_from(server, FakeVenue(instruments=TWO_PATHS))(()) == LISTED


async def test_a_list_that_is_nowhere_names_the_path_that_should_have_it(
    server: FakeServer,
) -> None:
    server.pages |= {"/markets": (410, "gone"), "/list": (404, "gone")}
    with pytest.raises(RejectedError, match="/markets answered HTTP 410"):
        await fetch_from(server, FakeVenue(instruments=TWO_PATHS))(())


async def test_a_venue_that_is_asked_too_often_is_not_asked_elsewhere(server: FakeServer) -> None:
    server.pages["/markets"] = (429, "slowly")
    with pytest.raises(RejectedError, match="429"):
        await fetch_from(server, FakeVenue(instruments=TWO_PATHS))(())
