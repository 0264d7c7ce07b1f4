"""One port: each request goes where its path says, and nonsense hurts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from patience import patiently
from structlog.testing import capture_logs
from venue_client import dial, get
from venue_simulator.simulator import Simulator
from websockets.exceptions import InvalidStatus

Simulate = Callable[..., Awaitable[Simulator]]


def base(simulator: Simulator) -> str:
    return simulator.address.url("http", "")


async def send_raw(simulator: Simulator, request: bytes) -> bytes:
    """Return all that the server says to `request` before it hangs up."""
    reader, writer = await asyncio.open_connection(simulator.address.host, simulator.address.port)
    writer.write(request)
    async with patiently():
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("path", ["", "mtgox", "mtgox/v2", "?x=1", "binance", "binance/nothing"])
async def test_a_path_that_leads_nowhere(simulator: Simulator, path: str) -> None:
    assert (await get(base(simulator) + path)).status == 404


@pytest.mark.parametrize("path", ["binance//[x", "//[", "kraken/v2//["])
async def test_a_path_that_is_none(simulator: Simulator, path: str) -> None:
    with capture_logs() as logs:
        answer = await send_raw(simulator, f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 200"))
    assert logs == []


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\r\n",
        b"hello\r\n\r\n",
        b"GET /kraken/v2 HTTP/1.1\r\nHost\r\n\r\n",
        b"POST /kraken/0/public/Time HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /kraken/v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nUpgrade: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_quietly(simulator: Simulator, request_: bytes) -> None:
    with capture_logs() as logs:
        await send_raw(simulator, request_)
    assert logs == []
    async with dial(simulator.ws_url("kraken") + "/v2") as wire:
        assert (await wire.hear())["channel"] == "status"


@pytest.mark.parametrize(
    ("venue", "path"), [("binance", ""), ("bitstamp", "/v2"), ("kraken", ""), ("kraken", "/v1")]
)
async def test_a_socket_is_where_the_venue_has_it(
    simulator: Simulator, venue: str, path: str
) -> None:
    with pytest.raises(InvalidStatus, match="404"):
        async with dial(simulator.ws_url(venue) + path):
            pass


async def test_all_venues_are_on_one_port(simulator: Simulator) -> None:
    ports = {simulator.ws_url(venue).split(":")[2].split("/")[0] for venue in simulator.venues}
    assert len(ports) == 1


async def test_it_ends_at_once_even_while_silent(simulate: Simulate) -> None:
    simulator = await simulate()
    simulator.faults.inject("kraken", "silence", seconds=600)
    async with dial(simulator.ws_url("binance") + "/ws"):
        waiting = asyncio.create_task(shake_hands(simulator))
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def shake_hands(simulator: Simulator) -> None:
    async with dial(simulator.ws_url("kraken") + "/v2"):
        pass
