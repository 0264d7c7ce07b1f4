"""The containers as users run them, with bots on the host: nothing a bot sees is ever wrong.

`make docker-test` runs these; they need a Docker engine and leave nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest
from containers import Compose, docker, why_no_engine
from dragonfly_client import Book
from oracle import Oracle
from patience import eventually
from system import VENUES, Bot, live_venues, outages
from truth import Truth

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

INSTRUMENTS: Final = ("ADA-USD", "BTC-USD", "ETH-BTC", "LTC-USD", "SOL-USD", "XRP-USD")
LISTENERS: Final = tuple(f"listener-{venue}" for venue in VENUES)
BOTS: Final = 4
SCALED: Final = {
    "listener_binance": 3,
    "listener_bitstamp": 2,
    "listener_kraken": 2,
    "aggregator": 2,
    "grpc_gateway": 2,
}
WITHIN_S: Final = 30.0
NEVER_LONGER_S: Final = 5.0
"""A second is promised; the figures are in docs/scaling.md. A busy machine may take longer."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    reason = why_no_engine()
    if reason is not None:
        pytest.skip(reason)
    compose = Compose(
        tmp_path_factory.mktemp("truth"),
        DRAGONFLY_INSTRUMENTS=" ".join(INSTRUMENTS),
        DRAGONFLY_TAG="test",
        DRAGONFLY_WEB_PUBLISH="127.0.0.1:0",
    )
    try:
        compose.run("build", "--quiet")
        yield compose
    finally:
        compose.down()


@pytest.fixture
def compose(running: Compose, request: pytest.FixtureRequest) -> Iterator[Compose]:
    running.up()
    yield running
    request.node.add_report_section("teardown", "logs of the containers", running.logs())


@asynccontextmanager
async def judged_bots(compose: Compose) -> AsyncIterator[list[Bot]]:
    """Run bots, wait until their books are whole, and judge in the end all that they received."""
    bots = [Bot(compose.gateway_address, *INSTRUMENTS) for _ in range(BOTS)]
    async with contextlib.AsyncExitStack() as stack:
        for bot in bots:
            await stack.enter_async_context(bot)
        await whole(bots)
        yield bots
        await whole(bots, fresh=True)
    truth = Truth.from_file(compose.truth_log)
    for bot in bots:
        for instrument in INSTRUMENTS:
            violation = Oracle(truth).first_violation(bot.of(instrument))
            assert violation is None, str(violation)


async def whole(bots: list[Bot], *, fresh: bool = False) -> None:
    """Wait until each bot's every book is of all venues; `fresh`: in books that are yet to come."""
    for bot in bots:
        begin = len(bot.books) if fresh else 0
        awaited = set(INSTRUMENTS)

        def is_whole(
            book: Book, bot: Bot = bot, begin: int = begin, left: set[str] = awaited
        ) -> bool:
            if len(bot.books) > begin and live_venues(book) == set(VENUES):
                left.discard(book.instrument)
            return not left

        await bot.until(is_whole, within_s=WITHIN_S, what="all books of all venues")


async def call(function: object, *arguments: object, **options: object) -> None:
    assert callable(function)
    await asyncio.to_thread(function, *arguments, **options)


async def test_images_hold_only_what_their_service_needs_and_nobody_is_root(
    compose: Compose,
) -> None:
    needs = {
        "listener-binance": ({"feed_listener", "websockets", "zmq"}, {"grpc", "aggregator", "pip"}),
        "aggregator": ({"aggregator", "zmq"}, {"grpc", "websockets", "httpx", "pip"}),
        "grpc-gateway": ({"grpc_gateway", "grpc", "zmq"}, {"websockets", "httpx", "pip"}),
    }
    for service, (there, absent) in needs.items():
        code = (
            "from importlib.util import find_spec;"
            f"print(sorted(n for n in {sorted(there | absent)!r} if find_spec(n)))"
        )
        found = compose.run("exec", "--no-TTY", service, "python", "-c", code)
        assert found.strip() == str(sorted(there)), service
    for service in (*LISTENERS, "aggregator", "grpc-gateway", "balancer", "simulator"):
        for container in compose.containers(service):
            facts = compose.inspect(container)
            host = facts["HostConfig"]
            assert facts["Config"]["User"] == "10001:10001", service
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert "no-new-privileges:true" in host["SecurityOpt"], service
            assert host["Memory"] > 0, service
            assert host["PidsLimit"] > 0, service
            assert not host["Privileged"], service
    version = compose.run("exec", "--no-TTY", "aggregator", "dragonfly", "--version")
    assert version.startswith("dragonfly, version ")


async def test_the_book_is_watched_from_a_container(compose: Compose) -> None:
    said = compose.run("run", "--rm", "--no-TTY", "watch", "--seconds=1", "ETH-BTC")
    assert "reconnects 0" in said


async def test_the_page_and_the_book_come_from_a_container(compose: Compose) -> None:
    compose.run("--profile=web", "up", "--detach", "--wait", "web")
    address = compose.run("--profile=web", "port", "web", "50080").strip()
    async with httpx.AsyncClient(base_url=f"http://{address}/", trust_env=False) as browser:

        async def has_the_book() -> bool:
            answer = await browser.get("v1/book/ETH-BTC")
            venues = answer.json().get("venues", ())
            return {one["venue"] for one in venues if one["state"] == "LIVE"} == set(VENUES)

        await eventually(has_the_book, "the book of all venues")
        page = await browser.get("")
    assert page.text.startswith("<!doctype html>")
    (container,) = compose.containers("web")
    facts = compose.inspect(container)
    assert facts["Config"]["User"] == "10001:10001"
    assert facts["HostConfig"]["ReadonlyRootfs"]


async def test_from_the_host_only_the_published_port_answers(compose: Compose) -> None:
    for service in (*LISTENERS, "aggregator", "grpc-gateway"):
        for container in compose.containers(service):
            networks = compose.inspect(container)["NetworkSettings"]["Networks"]
            for name, network in networks.items():
                for port in (5551, 5561, 9100, 50051):
                    where = f"{service} on {name}: {network['IPAddress']}:{port}"
                    assert not greets(network["IPAddress"], port), where
    host, _, published = compose.gateway_address.rpartition(":")
    assert greets(host, int(published))


def greets(host: str, port: int) -> bool:
    """Say whether anything of ours is behind a port: ZeroMQ and gRPC greet first, HTTP answers."""
    try:
        with socket.create_connection((host, port), 0.5) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            connection.settimeout(0.5)
            said = connection.recv(64)
    except OSError:
        return False
    http2_settings = said[3:5] == b"\x04\x00"
    return http2_settings or said.startswith((b"\xff", b"HTTP/1.0 200", b"HTTP/1.0 503"))


async def test_no_bot_notices_scaling_up_and_down(compose: Compose) -> None:
    async with judged_bots(compose) as bots:
        begin = [len(bot.books) for bot in bots]
        await call(compose.up, listener_binance=3, aggregator=2, grpc_gateway=2)
        await asyncio.sleep(5)  # instruments move within this time; that is what is watched
        await call(compose.up, listener_binance=1, aggregator=1, grpc_gateway=2)
        await whole(bots, fresh=True)
        for bot, since in zip(bots, begin, strict=True):
            assert outages(bot.books, since) == []
            assert not bot.events


async def test_each_container_may_be_killed(compose: Compose) -> None:
    await call(compose.up, **SCALED)
    async with judged_bots(compose) as bots:
        for service in (*LISTENERS, "aggregator", "grpc-gateway"):
            for container in compose.containers(service):
                begin = [len(bot.books) for bot in bots]
                events = [len(bot.events) for bot in bots]
                docker("kill", "--signal=KILL", container)
                await whole(bots, fresh=True)
                for bot, since, known in zip(bots, begin, events, strict=True):
                    longest = max(outages(bot.books, since), default=None)
                    assert longest is None or longest[0] < NEVER_LONGER_S, f"{service}: {longest}"
                    assert service == "grpc-gateway" or bot.events[known:] == []
                await call(docker, "start", container)
                await call(compose.up, **SCALED)  # waits until all is healthy


async def test_a_listener_may_be_cut_off(compose: Compose) -> None:
    await call(compose.up, **SCALED)
    container = compose.containers("listener-binance")[0]
    bus = f"{compose.project}_bus"
    async with judged_bots(compose) as bots:
        begin = [len(bot.books) for bot in bots]
        docker("network", "disconnect", bus, container)
        await asyncio.sleep(10)  # the time for which it is cut off
        docker("network", "connect", "--alias=listener-binance.bus", bus, container)
        await whole(bots, fresh=True)
        await asyncio.sleep(5)  # it takes its instruments back within this time
        for bot, since in zip(bots, begin, strict=True):
            longest = max(outages(bot.books, since), default=None)
            assert longest is None or longest[0] < NEVER_LONGER_S, longest
            assert not bot.events


async def test_no_bot_notices_a_rolling_restart(compose: Compose) -> None:
    async with judged_bots(compose) as bots:
        for service in (*LISTENERS, "aggregator", "grpc-gateway"):
            begin = [len(bot.books) for bot in bots]
            events = [len(bot.events) for bot in bots]
            await call(compose.roll, service)
            await whole(bots, fresh=True)
            for bot, since, known in zip(bots, begin, events, strict=True):
                assert outages(bot.books, since) == [], service
                assert service == "grpc-gateway" or bot.events[known:] == [], service
