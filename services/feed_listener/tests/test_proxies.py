"""Proxies of the environment: which are used for what, and what is said of those that fail."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.transport import (
    ClientOptions,
    Connection,
    ProxyError,
    RejectedError,
    TransportError,
    UnreachableError,
    VenueCertificateError,
    build_client,
    fetch,
    trusted,
)
from dragonfly_venues.transport.proxies import proxy_of
from fake_proxy import FakeProxy
from fake_venue import FakeServer, FakeVenue
from hypothesis import given
from hypothesis import strategies as st
from listening import listening
from websockets.proxy import parse_proxy

VENUE = "https://api.venue.example"
SECRET = "s3cr3t"

# httpcore leaves a connection whose SOCKS failed to the garbage collector.
uncollected = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
with_socks = pytest.mark.skipif(
    not (find_spec("socksio") and find_spec("python_socks")), reason="needs packages for SOCKS"
)


async def connect(url: str, ca_file: Path | None = None) -> Connection:
    options = ClientOptions(trusted(ca_file), 2**16, compression=False)
    return await build_client(url, options).connect(url)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        (VENUE, {}, None),
        (VENUE, {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        (VENUE, {"https_proxy": "p:3128", "HTTPS_PROXY": "http://other"}, "http://p:3128"),
        (VENUE, {"https_proxy": "", "ALL_PROXY": "http://p"}, None),
        (VENUE, {"all_proxy": "http://p/", "http_proxy": "http://other"}, "http://p:80"),
        (VENUE, {"ALL_PROXY": "socks://p/"}, "socks5h://p:1080"),
        (VENUE, {"ALL_PROXY": "SOCKS5://p:9"}, "socks5h://p:9"),
        (VENUE, {"ALL_PROXY": "https://[::1]:8443"}, "https://[::1]:8443"),
        (VENUE, {"ALL_PROXY": f"http://me:{SECRET}%40@p:1"}, f"http://me:{SECRET}%40@p:1"),
        (VENUE, {"ALL_PROXY": "http://me@p:1"}, "http://me:@p:1"),
        (VENUE, {"http_proxy": "http://p:1", "socks_proxy": "p:2", "ws_proxy": "p:3"}, None),
        ("http://venue.example", {"http_proxy": "p:1", "https_proxy": "p:2"}, "http://p:1"),
        ("wss://venue.example", {"https_proxy": "p:1", "wss_proxy": "p:2"}, "http://p:2"),
        ("wss://venue.example", {"https_proxy": "p:1", "all_proxy": "p:2"}, "http://p:1"),
        ("ws://venue.example", {"http_proxy": "p:1", "https_proxy": "p:2"}, "http://p:1"),
        *(
            (url, {"ALL_PROXY": "http://p:1"}, None)
            for url in (
                *("http://localhost:1", "ws://127.3.2.1", "wss://[::1]:9443", "https://10.1.2.3"),
                *("ws://simulator:9000", "http://192.168.0.7", "http://sim.local"),
            )
        ),
        *(
            (VENUE, {"ALL_PROXY": "http://p:1", name: excepted}, None)
            for name in ("NO_PROXY", "no_proxy")
            for excepted in ("*", "venue.example", " .VENUE.example ,x")
        ),
        (VENUE, {"ALL_PROXY": "http://p:1", "NO_PROXY": "nue.example, ,10.0.0.0/8"}, "http://p:1"),
        ("https://9.9.9.9", {"ALL_PROXY": "http://p:1", "NO_PROXY": "9.0.0.0/8"}, None),
        ("ws://a.example:7", {"ALL_PROXY": "http://p:1", "NO_PROXY": "a.example:7"}, None),
    ],
)
def test_which_proxy_is_used(url: str, environ: dict[str, str], expected: str | None) -> None:
    proxy = proxy_of(url, environ, installed=bool)
    assert (proxy and proxy.url) == expected
    assert proxy is None or SECRET not in proxy.told


@pytest.mark.parametrize(
    "value",
    [
        *("http://", "socks://", "://", "gopher://p:70", "socks4://p:1", "http://p:99999"),
        *("http://p:0", "http://p/path", "http://p?query", f"http//me:{SECRET}@p", "http://[::1"),
        *(f"ftp://me:{SECRET}@p", f"http://me:{SECRET}%ff@p", f"me:{SECRET}@", "ht tp://x y"),
        *("http://p\x1b]0;x\x07/a", f"http://{'x' * 70}", "http://p:port"),
    ],
)
def test_a_setting_of_no_use_is_a_sentence(value: str) -> None:
    with pytest.raises(ProxyError, match=r"that ALL_PROXY names is none .* http://HOST:PORT") as no:
        proxy_of(VENUE, {"ALL_PROXY": value}, installed=bool)
    assert SECRET not in str(no.value)
    assert str(no.value).isprintable()
    assert VENUE in str(no.value)


def test_what_socks_needs_is_named() -> None:
    with pytest.raises(ProxyError, match=r"socks://p that all_proxy .* pip install python-socks s"):
        proxy_of(VENUE, {"all_proxy": "socks://p"}, installed=lambda _: None)


@pytest.mark.parametrize(
    "kind",
    ["http", pytest.param("socks", marks=with_socks), pytest.param("socks5", marks=with_socks)],
)
@pytest.mark.parametrize("who", ["", f"me:{SECRET}@"])
async def test_a_venue_is_reached_through_a_proxy(
    server: FakeServer, kind: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeProxy(server.port) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{kind}://{who}{proxy.address}")
        connection = await connect("ws://venue.example:9000")
        await connection.send('{"op": "probe", "id": 1, "symbols": []}')
        assert await connection.receive() == b'{"t": "pong"}'
        await connection.close()
        assert b"ethbtc" in await fetch("http://venue.example/list", trusted(None), 1000)
        asked = {
            "http": ["venue.example:9000", "http://venue.example/list"],
        }.get(kind, [f"{who}venue.example:9000", f"{who}venue.example:80"])
        assert proxy.asked == asked


@uncollected
@pytest.mark.parametrize("kind", ["http", pytest.param("socks5h", marks=with_socks)])
async def test_certificates_are_verified_through_a_proxy(
    tls_server: FakeServer, pki: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeProxy(tls_server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"{kind}://{proxy.address}")
        connection = await connect("wss://venue.example", pki / "ca.pem")
        await connection.close()
        assert await fetch("https://venue.example/list", trusted(pki / "ca.pem"), 1000)
        with pytest.raises(
            VenueCertificateError, match="that HTTPS_PROXY names is not to be trusted"
        ):
            await connect("wss://venue.example")
        with pytest.raises(
            VenueCertificateError, match="that HTTPS_PROXY names is not to be trusted"
        ):
            await fetch("https://venue.example/list", trusted(None), 1000)
    gc.collect()


async def ask_both(errors: tuple[type[TransportError], ...]) -> list[str]:
    """Ask a venue both ways, which fail; return what is said."""
    said = []
    for ask in (
        lambda: connect("wss://venue.example"),
        lambda: fetch("https://venue.example/list", trusted(None), 1000),
    ):
        with pytest.raises(errors) as failed:
            await ask()
        said.append(str(failed.value))
        assert failed.value.bug is None
    del failed
    gc.collect()
    return said


@uncollected
@pytest.mark.parametrize("kind", ["http", pytest.param("socks", marks=with_socks)])
async def test_a_proxy_that_is_not_there_is_named(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{kind}://me:{SECRET}@127.0.0.1:1")
    for said in await ask_both((UnreachableError, ProxyError)):
        assert f"through the proxy {kind}://127.0.0.1:1 that ALL_PROXY names" in said
        assert "cannot be reached" in said
        assert SECRET not in said


@uncollected
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Blocked by policy\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://login.example\r\nContent-Length: 0\r\n\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"",
        b"\x05\xff",
        b"\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
    ],
    ids=["407", "403", "302", "nonsense", "nothing", "no method", "refused"],
)
@pytest.mark.parametrize("kind", ["http", pytest.param("socks", marks=with_socks)])
async def test_what_a_proxy_answers_is_said(
    server: FakeServer, kind: str, reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeProxy(server.port) as proxy:
        proxy.reply = reply
        monkeypatch.setenv("ALL_PROXY", f"{kind}://me:{SECRET}@{proxy.address}")
        for said in await ask_both((TransportError,)):
            assert f"through the proxy {kind}://{proxy.address} that ALL_PROXY names" in said
            assert SECRET not in said
            assert kind != "http" or not reply.startswith(b"HTTP") or reply[9:12].decode() in said


async def test_a_proxy_that_answers_for_a_venue_is_named(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeProxy(server.port) as proxy:
        proxy.reply = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        with pytest.raises(RejectedError, match=r"HTTP_PROXY names answered HTTP 407 .a proxy on"):
            await fetch("http://venue.example/list", trusted(None), 1000)


@pytest.mark.parametrize("value", ["socks://127.0.0.1:1/", "http://", "garbage://x"])
async def test_a_venue_on_this_machine_needs_no_proxy(
    server: FakeServer, tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)


async def test_a_proxy_of_no_use_is_the_reason_of_its_venue(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WS_PROXY", "garbage://x")
    monkeypatch.setattr(FakeVenue, "connect_url", lambda *_: "ws://venue.example")
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        down = await consumer.saying("ETH-BTC", "the proxy garbage://x that WS_PROXY names is none")
        assert down.state is FeedState.DOWN


@given(
    value=st.text(max_size=40),
    scheme=st.sampled_from(["", "http://", "https://", "socks://", "socks5://", "x://"]),
    excepted=st.text(max_size=20),
    url=st.sampled_from([VENUE, "wss://venue.example:9443", "ws://[2001:db8::1]"]),
)
def test_any_setting_is_a_proxy_or_a_sentence(
    value: str, scheme: str, excepted: str, url: str
) -> None:
    environ = {"ALL_PROXY": scheme + value, "NO_PROXY": excepted}
    with suppress(ProxyError):
        if proxy := proxy_of(url, environ, installed=bool):
            assert parse_proxy(proxy.url).host in proxy.url
            assert httpx.Proxy(proxy.url).url.raw_host.decode() in proxy.url
