from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from dragonfly_client import DragonflyClient, SettingError, UnavailableError
from dragonfly_client._proxy import proxy_of
from loopback import accepting
from stub_gateway import StubGateway, make_book

DEAD = "http://user:secret@127.0.0.1:1"
VARIABLES = [
    name
    for variable in ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy")
    for name in (variable, variable.upper())
]
BESIDE = [
    "127.0.0.1:50051",
    "[::1]:50051",
    "localhost:50051",
    "LOCALHOST:50051",
    "grpc-gateway:50051",
    "10.1.2.3:50051",
    "172.17.0.2:50051",
    "192.168.1.5:50051",
    "169.254.1.1:50051",
    "100.64.0.1:50051",
    "[fd00::1]:50051",
    "mac.local:50051",
    "gateway.dragonfly.svc.cluster.local:50051",
    "host.docker.internal:50051",
    "unix:/run/gateway.sock",
]
AFAR = ["gateway.example:50051", "8.8.8.8:50051", "[2606:4700::1111]:443"]


@asynccontextmanager
async def tunnel() -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy; yields its URL and the addresses that it was asked to connect."""
    asked: list[str] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        address = head.split()[1].decode()
        asked.append(address)
        host, _, port = address.rpartition(":")
        there_reader, there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await asyncio.gather(
                copy(reader, there), copy(there_reader, writer), return_exceptions=True
            )
        finally:
            there.transport.abort()

    async with accepting(connect) as port:
        yield f"http://127.0.0.1:{port}", asked


@pytest.mark.parametrize("target", BESIDE)
def test_a_gateway_beside_the_bot_is_reached_without(target: str) -> None:
    assert proxy_of(target, dict.fromkeys(VARIABLES, DEAD)) is None


@pytest.mark.parametrize("target", AFAR)
def test_a_gateway_afar_is_reached_through_the_first_that_is_set(target: str) -> None:
    for place, name in enumerate(VARIABLES[:6]):
        environ = {later: f"http://{later}.example:3128" for later in VARIABLES[place:]}
        through = proxy_of(target, environ)
        assert through is not None
        assert through.url == f"http://{name}.example:3128"
        assert through.told == f" through the proxy http://{name}.example:3128 that {name} names"
    # gRPC knows no all_proxy, and what stands there is mostly SOCKS.
    assert proxy_of(target, {"all_proxy": DEAD, "ALL_PROXY": DEAD}) is None


@pytest.mark.parametrize(
    ("excepted", "excepts"),
    [
        ("example", True),
        (".example", True),
        ("gateway.example", True),
        ("other, gateway.EXAMPLE", True),
        ("*", True),
        ("way.example", False),
        ("10.0.0.0/8", False),
        ("", False),
    ],
)
def test_an_exception_is_one(excepted: str, *, excepts: bool) -> None:
    environ = {"https_proxy": DEAD, "NO_PROXY": excepted}
    assert (proxy_of("gateway.example:50051", environ) is None) is excepts
    assert proxy_of("8.8.8.8:1", {"https_proxy": DEAD, "no_grpc_proxy": "8.8.0.0/16"}) is None


async def test_no_variable_keeps_a_bot_from_its_gateway(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "socks://127.0.0.1:1/" if "all" in name.lower() else DEAD)
    gateway.publish(make_book())
    for host in ("127.0.0.1", "localhost"):
        target = f"{host}:{gateway.address.rpartition(':')[2]}"
        async with DragonflyClient(target, request_timeout_s=30) as client:
            assert (await client.get_book("ETH-BTC")).seq == 1
            assert (await anext(client.book("ETH-BTC"))).seq == 1


async def test_a_proxy_that_is_asked_for_is_used(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    async with (
        tunnel() as (proxy, asked),
        DragonflyClient(gateway.address, proxy=proxy) as client,
    ):
        assert (await client.get_book("ETH-BTC")).seq == 1
        assert (await anext(client.book("ETH-BTC"))).seq == 1
    assert asked == [gateway.address] * 2


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (DEAD, "through the proxy http://127.0.0.1:1 that https_proxy names within 0.1 s"),
        (
            "socks5://user:secret@127.0.0.1:1",
            "without https_proxy=socks5://127.0.0.1:1, for gRPC speaks with http:// proxies only,",
        ),
    ],
)
async def test_a_proxy_that_fails_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, setting: str, told: str
) -> None:
    monkeypatch.setenv("https_proxy", setting)
    target = "gateway.invalid:50051"
    async with DragonflyClient(target, connect_timeout_s=0.1, request_timeout_s=0.1) as client:
        for ask in (client.get_venues(), anext(client.venues())):
            with pytest.raises(UnavailableError) as error:
                await ask
            assert f"no gateway at {target} {told}" in str(error.value)
            assert "secret" not in str(error.value)
            assert "lookup" not in str(error.value)  # gRPC's own words


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:1", "https://u:secret@a:1"])
def test_a_proxy_that_cannot_be_used_is_told_at_once(proxy: str) -> None:
    with pytest.raises(SettingError, match="write http://HOST:PORT") as error:
        DragonflyClient(proxy=proxy)
    assert "secret" not in str(error.value)
