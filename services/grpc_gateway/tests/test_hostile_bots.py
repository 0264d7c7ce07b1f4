"""Bots that mean ill or are badly broken: others are served, and all that they held returns."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.counters import DENIED
from dragonfly_views.places import connections_within_limit
from gateway_world import Call, RunningGateway, running
from grpc import StatusCode
from grpc_gateway import connections, counters, rpc, service
from grpc_gateway.service import GatewayOptions
from grpc_health.v1 import health_pb2
from papers import TOKEN, Authority
from patience import PATIENCE_S, eventually
from view_world import Aggregator, make_book, until, write_tokens

ETH = pb.BookRequest(instrument="ETH-BTC")
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
OWN_DESCRIPTORS = 8
"""gRPC's threads come and go, the bots' in this process too."""

Logged = Callable[[], str]


@pytest.fixture
async def served(aggregator: Aggregator, gateway: RunningGateway) -> AsyncIterator[RunningGateway]:
    """A gateway whose good bot is served before and after, with what it held before given back."""
    async with unharmed(aggregator, gateway):
        yield gateway


@asynccontextmanager
async def unharmed(
    aggregator: Aggregator, gateway: RunningGateway, **papers: grpc.ChannelCredentials
) -> AsyncIterator[None]:
    async with gateway.bot(**papers) as good:
        stream = good.stream("StreamBook", ETH)
        aggregator.say(make_book())
        await stream.read(pb.Book)
        descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
        yield
        said = aggregator.say(make_book())
        while (await stream.read(pb.Book)).seq < said.seq:
            pass
        gc.collect()  # bots of this process, whose channels refer to each other
        await until(lambda: open_descriptors() <= descriptors + OWN_DESCRIPTORS)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        assert counters.STREAMS._value.get() == 1
        async with gateway.bot(**papers) as new:
            await new.stream("StreamBook", ETH).read(pb.Book)


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Iterator[Logged]:
    """What this process has written; a bot must not be able to make it much."""
    seen: list[str] = []

    def read() -> str:
        seen.extend(capfd.readouterr())
        return "".join(seen)

    yield read
    assert len(read().splitlines()) < 20
    assert "Traceback" not in read()


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def refused(code: StatusCode) -> float:
    count: float = counters.REFUSED.labels(code.name)._value.get()
    return count


def connect(address: str, count: int, say: bytes, stack: ExitStack) -> list[socket.socket]:
    """Open `count` connections that say something and then no more."""
    host, port = address.split(":")
    connections = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection((host, int(port))))
        connection.setblocking(False)
        if say:
            connection.send(say)
        connections.append(connection)
    return connections


def still_open(ends: list[socket.socket]) -> list[socket.socket]:
    """Return the connections that the gateway has not closed."""

    def is_open(end: socket.socket) -> bool:
        try:
            while end.recv(65536):
                pass
        except BlockingIOError:
            return True
        except ConnectionError:
            pass
        return False

    return [end for end in ends if is_open(end)]


async def closed(connections: list[socket.socket]) -> None:
    """Wait until the gateway has closed all of them."""

    def ended() -> bool:
        with suppress(ConnectionError):
            for connection in [*connections]:
                while connection.recv(65536):
                    pass
                connections.remove(connection)
        return not connections

    def tried() -> bool:
        with suppress(BlockingIOError):
            return ended()
        return False

    await until(tried)


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", id="http/1"),
        pytest.param(bytes(range(256)) * 20, id="garbage"),
        pytest.param(CLIENT_HELLO + bytes(200), id="tls"),
        pytest.param(HTTP2 + b"\xff" * 2000, id="http/2 and garbage"),
    ],
)
async def test_what_is_no_grpc_is_hung_up_on(
    served: RunningGateway, logged: Logged, say: bytes
) -> None:
    with ExitStack() as stack:
        await closed(connect(served.address, 50, say, stack))


async def test_who_connects_and_says_nothing_is_hung_up_on(
    options: GatewayOptions, aggregator: Aggregator, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HANDSHAKE_LIMIT_S", 2.0)
    async with running(options) as gateway, unharmed(aggregator, gateway):
        with ExitStack() as stack:
            await closed(connect(gateway.address, 100, b"", stack))


async def test_half_open_tls_handshakes_are_hung_up_on(
    options: GatewayOptions,
    aggregator: Aggregator,
    logged: Logged,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(service, "HANDSHAKE_LIMIT_S", 2.0)
    authority = Authority()
    tls = replace(options, tls=authority.write(tmp_path))
    async with (
        running(tls) as gateway,
        unharmed(aggregator, gateway, credentials=authority.credentials()),
    ):
        with ExitStack() as stack:
            await closed(connect(gateway.address, 100, CLIENT_HELLO, stack))


async def test_connections_that_come_and_go_leave_nothing(
    served: RunningGateway, logged: Logged
) -> None:
    for _ in range(20):
        with ExitStack() as stack:
            connect(served.address, 50, HTTP2, stack)
        await asyncio.sleep(0)


async def test_more_connections_than_there_is_room_for_are_hung_up_on(
    options: GatewayOptions, aggregator: Aggregator, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SPARE_CALLS", 2)
    few = replace(options, max_total_streams=8)
    async with (
        running(few) as gateway,
        unharmed(aggregator, gateway),
        AsyncExitStack() as stack,
    ):
        for _ in range(9):
            bot = await stack.enter_async_context(gateway.bot())
            await bot.get("GetVenues")
        async with gateway.bot() as late:
            assert (await late.refusal("GetVenues"))[0] is StatusCode.UNAVAILABLE


async def test_strangers_of_one_address_do_not_take_the_bots_places(
    options: GatewayOptions,
    aggregator: Aggregator,
    logged: Logged,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(service, "SPARE_CALLS", 2)
    monkeypatch.setattr(connections, "GRACE_S", 0.1)
    write_tokens(tmp_path / "tokens.toml", {"alpha": [TOKEN]})
    guarded = replace(options, max_total_streams=40, tokens=tmp_path / "tokens.toml")
    aggregator.say(make_book())
    async with running(guarded) as gateway:
        with ExitStack() as stack:
            strangers = connect(gateway.address, 42, HTTP2, stack)
            async with gateway.bot(token=TOKEN) as bot:
                await until(lambda: len(still_open(strangers)) <= connections.MOST_STRANGERS)
                # The bot has all the time that its handshake may need here, and comes again as
                # long as gRPC has not seen the strangers' end.
                monkeypatch.setattr(connections, "GRACE_S", PATIENCE_S)

                async def is_served() -> bool:
                    with suppress(grpc.aio.AioRpcError):
                        return (await bot.stream("StreamBook", ETH).read(pb.Book)).live
                    return False

                await eventually(is_served, "the bot's book")


@pytest.mark.parametrize(
    ("limits", "connections", "raised_to"),
    [
        ((1024, 4096), 1256, 1512),
        ((1024, 1024), 768, 1024),
        ((64, 64), 16, 64),
        ((1024, resource.RLIM_INFINITY), 1256, 1512),
        ((4096, 4096), 1256, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 1256, None),
    ],
)
def test_connections_leave_descriptors_to_the_bus(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    connections: int,
    raised_to: int | None,
) -> None:
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: raised.append(new))
    assert connections_within_limit(1256) == connections
    assert raised == ([(raised_to, limits[1])] if raised_to else [])


@pytest.mark.parametrize(
    "path",
    [
        "/dragonfly.v1.MarketData/StreamBook",
        "/dragonfly.v1.MarketData/GetBook",
        "/grpc.health.v1.Health/Watch",
    ],
)
async def test_calls_that_never_ask_for_anything_are_ended(
    served: RunningGateway, logged: Logged, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(rpc, "REQUEST_WITHIN_S", 0.2)
    before = refused(StatusCode.DEADLINE_EXCEEDED)
    async with served.bot() as bot:
        calls = [Call(bot.channel.stream_stream(path)()) for _ in range(20)]
        for call in calls:
            code, sentence = await call.end()
            assert code is StatusCode.DEADLINE_EXCEEDED
            assert sentence == "no request followed its call within 0.2 s: send both together"
        assert refused(StatusCode.DEADLINE_EXCEEDED) == before + 20
        empty = Call(bot.channel.stream_stream(path)())
        await empty.done_sending()
        code, sentence = await empty.end()
        assert code is StatusCode.INVALID_ARGUMENT
        assert sentence.startswith("a call without a request: send a ")


async def test_watches_of_health_leave_the_bots_their_places(
    served: RunningGateway, logged: Logged
) -> None:
    before = refused(StatusCode.RESOURCE_EXHAUSTED)
    async with served.bot() as bot:
        watch = bot.channel.unary_stream("/grpc.health.v1.Health/Watch")
        held = [Call(watch(b"")) for _ in range(6)]
        for call in held:
            await call.read(health_pb2.HealthCheckResponse)
        for _ in range(20):
            assert await Call(watch(b"")).end() == (
                StatusCode.RESOURCE_EXHAUSTED,
                "health is watched 6 times at this gateway, which is the limit: call Check",
            )
        assert refused(StatusCode.RESOURCE_EXHAUSTED) == before + 20
        async with served.bot() as other:
            await other.stream("StreamBook", ETH).read(pb.Book)
        for call in held:
            call.cancel()


@pytest.mark.parametrize(
    "path", ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", "reflection"]
)
async def test_malformed_requests_of_standard_services_are_refused(
    served: RunningGateway, logged: Logged, path: str
) -> None:
    if path == "reflection":
        path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    async with served.bot() as bot:
        call = Call(bot.channel.stream_stream(path)())
        await call.send(b"\xff\xff")
        code, sentence = await call.end()
        assert code is StatusCode.INVALID_ARGUMENT
        assert sentence.startswith("2 bytes that are no grpc.")


async def test_reflection_takes_a_bots_places(served: RunningGateway) -> None:
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    async with served.bot() as bot:
        held = [Call(bot.channel.stream_stream(path)()) for _ in range(4)]
        await until(lambda: counters.STREAMS._value.get() == 5)
        code, _ = await Call(bot.channel.stream_stream(path)()).end()
        assert code is StatusCode.RESOURCE_EXHAUSTED
        for call in held:
            call.cancel()


async def test_streams_beyond_measure_are_refused(served: RunningGateway, logged: Logged) -> None:
    before = DENIED.labels("quota_streams")._value.get()
    async with served.bot() as greedy:
        for _ in range(200):
            greedy.stream("StreamBook", ETH)
        await until(lambda: DENIED.labels("quota_streams")._value.get() == before + 196)
        assert counters.STREAMS._value.get() == 5


@pytest.mark.parametrize(
    ("metadata_bytes", "request_bytes", "code"),
    [
        (100_000, 0, StatusCode.RESOURCE_EXHAUSTED),
        (0, 100_000, StatusCode.RESOURCE_EXHAUSTED),
        (0, 5_000_000, StatusCode.RESOURCE_EXHAUSTED),
        (0, 60_000, StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_what_is_too_large_is_refused_and_the_connection_stays(
    served: RunningGateway,
    logged: Logged,
    metadata_bytes: int,
    request_bytes: int,
    code: StatusCode,
) -> None:
    async with served.bot() as bot:
        for _ in range(3):
            stream = bot.stream(
                "StreamBook", b"\xff" * request_bytes, [("x", "y" * metadata_bytes)]
            )
            assert (await stream.end())[0] is code
        await bot.stream("StreamBook", ETH).read(pb.Book)


async def test_abandoned_calls_leave_nothing(served: RunningGateway, logged: Logged) -> None:
    for _ in range(15):
        async with served.bot() as bot:
            for _ in range(2):
                await bot.stream("StreamBook", ETH).read(pb.Book)
            bot.session()


async def test_a_flood_of_requests_in_a_session_is_no_flood_for_others(
    served: RunningGateway, logged: Logged
) -> None:
    async with served.bot() as bot, served.bot() as other:
        session = bot.session()

        async def flood() -> None:
            while True:
                await session.send(pb.SessionRequest(ack=0))

        flooding = asyncio.create_task(flood())
        for _ in range(20):
            await other.get("GetBook", ETH)
        flooding.cancel()
        with suppress(asyncio.CancelledError):
            await flooding
