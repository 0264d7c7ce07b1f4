"""FIX as a protocol of the client layer, against an acceptor over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from dragonfly_common.errors import ConfigError
from dragonfly_fix.session_state import SessionState
from dragonfly_venues.binance import BinanceByFix
from dragonfly_venues.transport import (
    ClientOptions,
    ClosedError,
    Connection,
    LogonRefusedError,
    ProxyError,
    UnreachableError,
    VenueCertificateError,
    VenueProtocolError,
    build_client,
    check_fix_url,
    read_fix_key,
    trusted,
)
from dragonfly_venues.venue import Ask, FixKey
from fake_fix_venue import API_KEY, fix_key, fix_venue, key_files
from fake_venue import eventually
from loopback import accepting
from patience import patiently

VENUE = BinanceByFix()


async def connect(url: str, key: FixKey, ca_file: Path | None = None) -> Connection:
    assert VENUE.fix is not None
    options = ClientOptions(trusted(ca_file), 2**19, compression=False, fix=(VENUE.fix, key))
    return await build_client(url, options).connect(url)


def request(symbol: str, number: int = 1) -> str:
    (text,) = VENUE.requests(Ask(symbols=[symbol], request_id=number, depth=10))
    return text


async def test_a_connection_is_logged_on_signed_and_of_its_own_name(tmp_path: Path) -> None:
    key = fix_key(tmp_path)
    async with fix_venue() as venue:
        first, second = await connect(venue.url, key), await connect(venue.url, key)
        logons = [peer.logon for peer in venue.peers]
        fields = [dict(logon.fields) for logon in logons if logon is not None]
        assert all(one[108] == b"5" and one[141] == b"Y" and one[56] == b"SPOT" for one in fields)
        names = {one[49] for one in fields}
        assert len(names) == 2
        assert all(len(name) == 8 and name.isalnum() for name in names)
        await first.close()
        await eventually(lambda: len(venue.peers) == 1, "the first is gone")
        await second.close()


async def test_it_is_closed_with_a_logout(tmp_path: Path) -> None:
    async with fix_venue() as venue:
        connection = await connect(venue.url, fix_key(tmp_path))
        session = venue.peers[0].line.session
        await connection.close()
        await eventually(lambda: session.state is SessionState.ENDED, "closed")
        assert "logged out" in session.reason
        with pytest.raises(ClosedError, match="the FIX session is over"):
            await connection.send(request("bnbbtc"))
        with pytest.raises(ClosedError, match="the FIX session is over"):
            await connection.ping(lambda: None)
        with pytest.raises(ClosedError):
            await connection.receive()


async def test_messages_come_as_they_were_sent(tmp_path: Path) -> None:
    async with fix_venue() as venue:
        venue.market("BNBBTC", "9:1", "10:2", seq=7)
        connection = await connect(venue.url, fix_key(tmp_path))
        await connection.send(request("bnbbtc"))
        async with patiently():
            frame = await connection.receive()
        assert frame.startswith(b"8=FIX.4.4\x019=")
        assert frame.endswith(b"\x01269=1\x01270=10\x01271=2\x01")
        taken: list[bytes] = []
        streaming = asyncio.create_task(connection.stream(taken.extend))
        venue.change("BNBBTC", bids="9:0")
        await eventually(lambda: bool(taken), "a change")
        assert b"\x0135=X\x01" in taken[0]
        venue.peers[0].line.leave("maintenance")
        with pytest.raises(ClosedError, match="logged out: maintenance"):
            async with patiently():
                await streaming


async def test_a_ping_is_answered_behind_all_that_was_sent_before(tmp_path: Path) -> None:
    async with fix_venue() as venue:
        venue.market("BNBBTC", "9:1", "10:2")
        connection = await connect(venue.url, fix_key(tmp_path))
        order: list[str] = []
        streaming = asyncio.create_task(connection.stream(lambda _: order.append("frame")))
        await connection.send(request("bnbbtc"))
        await connection.ping(lambda: order.append("answer"))
        await eventually(lambda: len(order) == 2, "both")
        assert order == ["frame", "answer"]
        streaming.cancel()
        await connection.close()


async def test_a_missing_number_is_the_end_and_nothing_behind_it_is_taken(tmp_path: Path) -> None:
    async with fix_venue() as venue:
        connection = await connect(venue.url, fix_key(tmp_path))
        peer = venue.peers[0]
        store = peer.line.session._store
        store.save(store.next_out, None)
        peer.say("B", (148, "news"))
        with pytest.raises(ClosedError, match="MsgSeqNum too high, expecting 2 but received 3"):
            async with patiently():
                await connection.receive()
        await connection.close()


async def test_a_reject_has_what_it_refuses_behind_it(tmp_path: Path) -> None:
    async with fix_venue() as venue:
        connection = await connect(venue.url, fix_key(tmp_path))
        await connection.send(request("nonesuch", number=31))
        async with patiently():
            frame = await connection.receive()
        assert b"\x0158=Invalid symbol.\x01" in frame
        assert frame.endswith(request("nonesuch", number=31).encode())
        await connection.close()


async def test_who_refuses_our_key_is_quoted_and_the_key_is_not(tmp_path: Path) -> None:
    wrong = fix_key(tmp_path, api_key="another-key")
    async with fix_venue() as venue:
        with pytest.raises(LogonRefusedError, match=r"refuses our logon: Invalid API-key") as told:
            await connect(venue.url, wrong)
        assert told.value.retry_after_s == 30.0
        for secret in ("another-key", "Signature"):
            assert secret not in f"{told.value} {wrong!r} {wrong}"
        await eventually(lambda: not venue.peers, "hung up")


async def test_who_does_not_answer_our_logon(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    key = fix_key(tmp_path)
    async with accepting(hang_up) as port:
        url = f"fix://127.0.0.1:{port}"
        with pytest.raises(VenueProtocolError, match="does not answer our logon"):
            await connect(url, key)
    with pytest.raises(UnreachableError, match="cannot be reached: "):
        await connect(url, key)


async def test_a_certificate_is_verified_and_the_host_is_named(tmp_path: Path) -> None:
    key, authority, issuer = fix_key(tmp_path), tmp_path / "ca.pem", trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    hosts: list[str] = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("localhost").configure_cert(tls)
    tls.sni_callback = lambda _, name, __: hosts.append(name)
    async with fix_venue(tls) as venue:
        connection = await connect(venue.url, key, authority)
        await connection.close()
        assert hosts == ["localhost"]
        with pytest.raises(VenueCertificateError, match="is not to be trusted"):
            await connect(venue.url, key)
    async with fix_venue() as plain:
        with pytest.raises(UnreachableError, match="hung up before it answered"):
            await connect(plain.url.replace("fix://", "fix+tls://"), key, authority)


# Keys and addresses.


@asynccontextmanager
async def http_proxy(port: int, status: str = "200 OK") -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve CONNECT, whose tunnels lead to a port of loopback; yield where, and what was asked."""
    asked: list[bytes] = []
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0])
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if status.startswith("200"):
            theirs, ours = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.TaskGroup() as both:
                both.create_task(copy(reader, ours))
                both.create_task(copy(theirs, writer))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve(reader, writer)))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], asked
        await asyncio.gather(*serving)


async def test_a_proxy_leads_to_the_venue_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fix_venue() as venue, http_proxy(urlsplit(venue.url).port or 0) as (port, asked):
        monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{port}")
        connection = await connect("fix://venue.example:9000", fix_key(tmp_path))
        assert asked == [b"CONNECT venue.example:9000 HTTP/1.1"]
        await connection.close()


async def test_a_proxy_that_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = fix_key(tmp_path)
    async with http_proxy(0, "403 Forbidden") as (port, _):
        monkeypatch.setenv("all_proxy", f"http://me:s3cret@127.0.0.1:{port}")
        with pytest.raises(
            ProxyError, match=r"through the proxy http://127\.0\.0\.1.*403"
        ) as refused:
            await connect("fix://venue.example:9000", key)
        assert "s3cret" not in str(refused.value)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await connect("fix://venue.example:9000", key)
    monkeypatch.setenv("all_proxy", "https://127.0.0.1:1")
    with pytest.raises(ProxyError, match="is spoken with over TLS"):
        await connect("fix://venue.example:9000", key)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, which: int, mode: int) -> None:
    files = key_files(tmp_path)
    files[which].chmod(mode)
    said = rf"may be read by {'all' if mode & 0o007 else 'its group'}: chmod 600"
    with pytest.raises(ConfigError, match=said):
        read_fix_key(*files)


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, pem: bytes) -> None:
    private, name = key_files(tmp_path)
    private.write_bytes(pem)
    with pytest.raises(ConfigError, match="holds no Ed25519 private key in PEM"):
        read_fix_key(private, name)
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        read_fix_key(tmp_path / "nowhere", name)


@pytest.mark.parametrize("text", ["", "two words", "schlüssel", "a" * 300])
def test_a_file_without_an_api_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="holds no API key") as told:
        fix_key(tmp_path, api_key=text)
    assert not text or text not in str(told.value)


def test_a_key_that_is_good_is_not_shown(tmp_path: Path) -> None:
    key = fix_key(tmp_path)
    assert key.api_key == API_KEY.encode()
    assert API_KEY not in repr(key)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("wss://fix-md.binance.com", "is not a URL to connect to"),
        ("fix://fix-md.binance.com:9000", r"write fix\+tls://fix-md.binance.com:9000"),
        ("fix+tls://", "is not a URL to connect to"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_fix_url(url, "--fix-url")


def test_an_address_that_can_be_used_is_left_as_it_is() -> None:
    for url in (VENUE.ws_url, "fix://127.0.0.1:1", "fix://simulator:9001", "fix+tls://a.example"):
        assert check_fix_url(url, "--fix-url") == url


def test_a_venue_is_unknown_without_a_key() -> None:
    with pytest.raises(ConfigError, match="logged on to with a key"):
        build_client("fix://127.0.0.1:1", ClientOptions(trusted(None), 2**16, compression=False))
