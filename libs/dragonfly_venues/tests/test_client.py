"""The client layer against real servers: WebSocket, HTTP, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http
import socket
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import FrameType

import dragonfly_venues.transport
import httpx
import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_venues.transport import (
    REST_SCHEMES,
    STREAM_SCHEMES,
    ClientOptions,
    ClosedError,
    Connection,
    RejectedError,
    TransportError,
    UnforeseenError,
    UnreachableError,
    VenueCertificateError,
    VenueProtocolError,
    build_client,
    check_url,
    fetch,
    rest,
    trusted,
    websocket,
)
from dragonfly_venues.transport.errors import BAN_S, LONGEST_RETRY_AFTER_S, PATIENT_RETRY_S
from fake_venue import FakeServer, eventually
from hypothesis import given
from hypothesis import strategies as st
from loopback import accepting
from patience import patiently
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key


async def connect(
    url: str, ca_file: Path | None = None, max_frame_bytes: int = 2**16
) -> Connection:
    options = ClientOptions(trusted(ca_file), max_frame_bytes, compression=False)
    return await build_client(url, options).connect(url)


@contextlib.asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[int]:
    """Serve `reply` to whatever is asked, on the port that is yielded, and hang up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with accepting(answer) as port:
        yield port


def reply_of(status: str, *headers: str, body: bytes = b"") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_package_exports_what_it_says() -> None:
    for name in dragonfly_venues.transport.__all__:
        assert hasattr(dragonfly_venues.transport, name)


async def test_frames_go_both_ways_as_bytes(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    await connection.send('{"op": "probe", "id": 1, "symbols": []}')
    assert await connection.receive() == b'{"t": "pong"}'
    await connection.close()


async def test_a_cancelled_receive_loses_nothing(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    receiving = asyncio.ensure_future(connection.receive())
    await asyncio.sleep(0)
    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    await server.send("kept")
    assert await connection.receive() == b"kept"
    await connection.close()


async def test_a_ping_is_answered(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    answered = asyncio.Event()
    await connection.ping(answered.set)
    await answered.wait()
    await connection.close()


async def test_a_ping_that_the_end_overtakes_is_not(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    server.deafen()
    answers: list[bool] = []
    await connection.ping(lambda: answers.append(True))
    await connection.close()
    assert not answers


async def test_the_end_of_a_connection_says_why(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    await server.open[0].close(1012, "restarting")
    with pytest.raises(ClosedError, match="closed the connection with code 1012: restarting"):
        await connection.receive()
    for use in (connection.send("x"), connection.ping(lambda: None)):
        with pytest.raises(ClosedError):
            await use


async def test_a_cut_connection_is_closed_too(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    server.open[0].transport.abort()
    with pytest.raises(ClosedError, match="was cut"):
        await connection.receive()


async def test_a_frame_above_the_limit_ends_the_connection(server: FakeServer) -> None:
    connection = await connect(server.ws_url, max_frame_bytes=1000)
    await eventually(lambda: bool(server.open), "the connection")
    await server.send("x" * 1001)
    with pytest.raises(ClosedError, match="1009"):
        await connection.receive()


@pytest.mark.parametrize("piece", [1, 7, 100_000])
async def test_messages_come_in_order_in_whatever_frames_and_pieces(piece: int) -> None:
    frames = [
        Frame(Opcode.TEXT, b"with the reply"),
        Frame(Opcode.TEXT, b"in ", fin=False),
        Frame(Opcode.PING, b"between"),
        Frame(Opcode.CONT, b"parts"),
        Frame(Opcode.BINARY, b"binary"),
        Frame(Opcode.CLOSE, b"\x03\xe8"),
    ]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line for line in asked.splitlines() if line.startswith("Sec-WebSocket-Key"))
        reply = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key.partition(': ')[2])}\r\n\r\n"
        )
        said = reply.encode() + b"".join(frame.serialize(mask=False) for frame in frames)
        for begin in range(0, len(said), piece):
            writer.write(said[begin : begin + piece])
            await writer.drain()
        await reader.readuntil(b"\x88")  # the close is answered
        writer.close()

    async with accepting(serve) as port:
        connection = await connect(f"ws://127.0.0.1:{port}")
        heard = [await connection.receive() for _ in range(3)]
        with pytest.raises(ClosedError, match="1000"):
            await connection.receive()
    assert heard == [b"with the reply", b"in parts", b"binary"]


async def test_what_arrives_together_is_taken_together(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    taken: list[list[bytes]] = []
    streaming = asyncio.ensure_future(connection.stream(lambda said: taken.append([*said])))
    await eventually(lambda: bool(server.open), "the connection")
    server.send_at_once("one", "two", "three")
    await eventually(lambda: bool(taken), "what was sent")
    server.send_at_once("four")
    await eventually(lambda: len(taken) > 1, "what was sent then")
    assert taken == [[b"one", b"two", b"three"], [b"four"]]
    await connection.close()
    with pytest.raises(ClosedError):
        await streaming


async def test_what_comes_with_other_frames_keeps_its_place(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    heard: list[bytes] = []
    streaming = asyncio.ensure_future(connection.stream(heard.extend))
    await connection.ping(lambda: heard.append(b"answered"))
    await eventually(lambda: b"answered" in heard, "the answer to a ping")
    heard.clear()
    frames = [
        Frame(Opcode.TEXT, b"before"),
        Frame(Opcode.PING, b"are you there"),
        Frame(Opcode.TEXT, b"in ", fin=False),
        Frame(Opcode.CONT, b"parts"),
        Frame(Opcode.TEXT, b"after"),
        Frame(Opcode.CLOSE, b"\x03\xe8"),
        Frame(Opcode.TEXT, b"too late"),
    ]
    server.open[0].transport.write(b"".join(frame.serialize(mask=False) for frame in frames))
    with pytest.raises(ClosedError, match="1000"):
        await streaming
    assert heard == [b"before", b"in parts", b"after"]


async def test_nothing_is_taken_after_what_could_not_be(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    taken: list[Sequence[bytes]] = []

    def take(messages: Sequence[bytes]) -> None:
        taken.append(messages)
        raise ValueError("cannot take it")

    streaming = asyncio.ensure_future(connection.stream(take))
    await eventually(lambda: bool(server.open), "the connection")
    server.send_at_once("one", "two")
    server.send_at_once("three")
    with pytest.raises(ValueError, match="cannot take it"):
        await streaming
    await connection.close()
    assert len(taken) == 1


@pytest.mark.parametrize(
    "said", [b"\x81\x85abcdhello", b"\x01\x01a\x81\x01b"], ids=["masked", "within another"]
)
async def test_a_frame_that_no_server_may_send_ends_the_connection(
    server: FakeServer, said: bytes
) -> None:
    connection = await connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    server.open[0].transport.write(said)
    with pytest.raises(ClosedError, match="1002"):
        await connection.receive()


async def test_closing_is_bounded_whatever_the_venue_does(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.1)
    connection = await connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    server.deafen()
    async with patiently():
        await connection.close()


async def test_nobody_there() -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await connect(f"ws://127.0.0.1:{free_port()}")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await fetch(f"http://127.0.0.1:{free_port()}", trusted(None), 1000)


async def test_a_name_that_means_nothing() -> None:
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await connect("ws://no-such-venue.invalid")
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await fetch("http://no-such-venue.invalid", trusted(None), 1000)


@pytest.mark.parametrize(
    ("status", "retry_after", "wait_s"),
    [
        (http.HTTPStatus.TOO_MANY_REQUESTS, "7", 7.0),
        (http.HTTPStatus.TOO_MANY_REQUESTS, None, PATIENT_RETRY_S),
        (http.HTTPStatus.TOO_MANY_REQUESTS, "9999999", LONGEST_RETRY_AFTER_S),
        (http.HTTPStatus.TOO_MANY_REQUESTS, "259200, 1", LONGEST_RETRY_AFTER_S),
        (http.HTTPStatus.FORBIDDEN, "tomorrow", PATIENT_RETRY_S),
        (http.HTTPStatus.FORBIDDEN, "Sun, 99 Nov 1994 08:49:37 GMT", PATIENT_RETRY_S),
        (http.HTTPStatus.FORBIDDEN, "Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        (http.HTTPStatus.FORBIDDEN, "Sun, 06 Nov 9999 08:49:37 GMT", LONGEST_RETRY_AFTER_S),
        (http.HTTPStatus.IM_A_TEAPOT, None, BAN_S),
        (http.HTTPStatus.BAD_GATEWAY, None, 0.0),
        (http.HTTPStatus.SERVICE_UNAVAILABLE, "3", 3.0),
    ],
)
async def test_a_rejection_says_when_to_come_back(
    server: FakeServer, status: http.HTTPStatus, retry_after: str | None, wait_s: float
) -> None:
    server.stream_status = server.list_status = status
    server.retry_after = retry_after
    with pytest.raises(RejectedError, match=f"answered HTTP {status}") as by_websocket:
        await connect(server.ws_url)
    with pytest.raises(RejectedError, match=f"answered HTTP {status}") as by_http:
        await fetch(f"{server.rest_url}/list", trusted(None), 1000)
    assert by_websocket.value.retry_after_s == by_http.value.retry_after_s == wait_s


def test_a_date_to_come_back_at_is_as_good_as_seconds() -> None:
    date = format_datetime(datetime.fromtimestamp(1_000_060, UTC), usegmt=True)
    assert RejectedError("u", 418, date, now_s=1_000_000.0).retry_after_s == 60.0


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("403 Forbidden", "blocks our address or region; where it has a mirror .* --rest-url"),
        ("407 Proxy Authentication Required", "a proxy on the way wants a user"),
        ("418 I'm a teapot", "banned, for asking on"),
        ("429 Too Many Requests", "too many requests"),
        ("451 Unavailable", "not offered, for legal reasons, .* --rest-url or --ws-url"),
        ("503 Service Unavailable", "out of service for now: maintenance"),
        ("522 Timed out", "what stands before it cannot reach it"),
        ("599 Odd", "answered HTTP 599: "),
    ],
)
async def test_a_rejection_says_what_it_means_and_quotes_the_venue(status: str, says: str) -> None:
    quoted = 'restricted\\x1b]0;x\\x07 location"'
    body = b"\r\n restricted\x1b]0;x\x07 location\nand a second line\n" + b"x" * 9000
    async with answering(reply_of(status, body=body)) as port:
        with pytest.raises(RejectedError, match=says) as by_http:
            await fetch(f"http://127.0.0.1:{port}/list", trusted(None), 10)
        with pytest.raises(RejectedError, match=says) as by_websocket:
            await connect(f"ws://127.0.0.1:{port}")
    assert str(by_http.value).endswith(quoted)
    assert str(by_websocket.value).endswith(quoted)


@given(
    status=st.integers(100, 999),
    retry_after=st.none() | st.text(max_size=40) | st.from_regex(r"\w{3}, \d\d \w{3} \d{4,9} .*"),
    location=st.none() | st.text(max_size=2000),
    body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
)
def test_any_refusal_is_a_sentence_and_a_wait(
    status: int, retry_after: str | None, location: str | None, body: bytes
) -> None:
    error = RejectedError("u", status, retry_after, now_s=1e9, location=location, body=body)
    assert str(error).isprintable()
    assert 0.0 <= error.retry_after_s <= LONGEST_RETRY_AFTER_S


async def test_of_a_page_the_title_is_quoted() -> None:
    body = b"<!DOCTYPE html>\n<html><head>\n<title lang=en>\nAccess denied\n</title></head>"
    async with answering(reply_of("403 Forbidden", body=gzip.compress(body))) as port:
        with pytest.raises(RejectedError):
            await fetch(f"http://127.0.0.1:{port}", trusted(None), 10)
    packed = reply_of("403 Forbidden", "Content-Encoding: gzip", body=gzip.compress(body))
    async with answering(packed) as port:
        with pytest.raises(RejectedError, match=r': "Access denied"$'):
            await fetch(f"http://127.0.0.1:{port}", trusted(None), 10)


async def test_a_refusal_that_names_its_headers_twice_is_one_all_the_same() -> None:
    twice = ["Retry-After: 7", "Retry-After: 8", "Location: /a", "Location: /b"]
    async with answering(reply_of("429 Too Many Requests", *twice)) as port:
        for ask in (
            lambda: fetch(f"http://127.0.0.1:{port}", trusted(None), 10),
            lambda: connect(f"ws://127.0.0.1:{port}"),
        ):
            with pytest.raises(RejectedError) as rejected:
                await ask()
            assert rejected.value.retry_after_s == 7.0


@pytest.mark.parametrize("length", ["Content-Length: 9999999", "X-None: 0", "Content-Length: x"])
async def test_a_refused_handshake_is_one_however_its_body_ends(
    length: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "OPEN_TIMEOUT_S", 3.0)
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 418 Teapot\r\nRetry-After: 600\r\n{length}\r\n\r\nno".encode())
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    async with accepting(answer) as port:
        with pytest.raises(RejectedError, match=r"HTTP 418 .banned") as rejected:
            await connect(f"ws://127.0.0.1:{port}")
        await ended.wait()
    assert rejected.value.retry_after_s == 600.0


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
@pytest.mark.parametrize(
    "location",
    ["data:,x", "http://xn--a/", "//[::1", "http://127.0.0.1:{port}/", "ws://127.0.0.1:{port}/"],
)
async def test_a_redirect_is_not_followed(server: FakeServer, status: str, location: str) -> None:
    to = location.format(port=server.port)
    async with answering(reply_of(status, f"Location: {to}")) as port:
        for ask in (
            lambda: fetch(f"http://127.0.0.1:{port}/list", trusted(None), 1000),
            lambda: connect(f"ws://127.0.0.1:{port}"),
        ):
            with pytest.raises(RejectedError) as rejected:
                await ask()
            assert f"a redirect to {to}, which is not followed" in str(rejected.value)
    assert (server.opened, server.rejected) == (0, 0)


def zeros(megabytes: int) -> bytes:
    return gzip.compress(bytes(megabytes * 2**20))


@pytest.mark.parametrize(
    ("coding", "body", "says"),
    [
        ("gzip", lambda: zeros(64), "more than 1000000 bytes"),
        ("gzip, gzip", lambda: gzip.compress(zeros(64)), "coding 'gzip, gzip'; gzip was asked"),
        ("gzip", gzip.compress(b"") + bytes(2_000_000), "more than 1000000 bytes"),
        ("deflate", b"", "in the coding 'deflate'"),
        ("br\x1b", b"", r"in the coding 'br\\x1b'"),
        ("gzip", b"no gzip", "is not gzip"),
        ("gzip", gzip.compress(b"a list")[:-9], "cut off"),
        ("identity", bytes(2_000_000), "more than 1000000 bytes"),
    ],
    # Not the bodies: a compressed one holds the time, and each worker would collect another test.
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_a_reply_holds_is_bounded_before_it_is_held(
    coding: str, body: bytes | Callable[[], bytes], says: str
) -> None:
    body = body if isinstance(body, bytes) else body()
    tracemalloc.start()
    try:
        async with answering(reply_of("200 OK", f"Content-Encoding: {coding}", body=body)) as port:
            with pytest.raises(VenueProtocolError, match=says):
                await fetch(f"http://127.0.0.1:{port}", trusted(None), 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


async def test_a_compressed_reply_is_read() -> None:
    body = bytes(range(256)) * 5000
    packed = gzip.compress(body)
    async with answering(reply_of("200 OK", "Content-Encoding: gzip", body=packed)) as port:
        assert await fetch(f"http://127.0.0.1:{port}", trusted(None), len(body)) == body


async def test_a_message_in_many_frames_takes_no_more_than_its_bytes(server: FakeServer) -> None:
    connection = await connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    empty = Frame(Opcode.CONT, b"", fin=False).serialize(mask=False)
    begin = Frame(Opcode.TEXT, b"{", fin=False).serialize(mask=False)
    end = Frame(Opcode.CONT, b"}").serialize(mask=False)
    server.open[0].transport.write(begin + empty * 5000 + end)
    assert await connection.receive() == b"{}"
    await connection.close()


async def test_a_compressed_message_is_bounded_as_it_becomes(server: FakeServer) -> None:
    options = ClientOptions(trusted(None), 2**16, compression=True)
    connection = await build_client(server.ws_url, options).connect(server.ws_url)
    await eventually(lambda: bool(server.open), "the connection")
    await server.send("x" * 2**16)
    assert len(await connection.receive()) == 2**16
    tracemalloc.start()
    try:
        await server.send("x" * (64 * 2**20))
        tracemalloc.reset_peak()
        with pytest.raises(ClosedError, match="1009"):
            await connection.receive()
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


async def test_a_refusal_of_many_lines_is_read_at_once() -> None:
    async with answering(reply_of("403 Forbidden", body=b"\n" * 1_000_000)) as port:
        calls = 0

        def count(frame: FrameType, event: str, _: object) -> None:
            nonlocal calls
            calls += event == "call" and frame.f_code.co_name == "data_received"

        sys.setprofile(count)
        try:
            with pytest.raises(RejectedError, match="HTTP 403"):
                await connect(f"ws://127.0.0.1:{port}")
        finally:
            sys.setprofile(None)
    assert calls < 1000


async def test_what_nobody_foresaw_is_a_failure_as_any_other(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise ImportError("a package is missing")

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", break_down)
    with pytest.raises(UnforeseenError, match="ImportError: a package is missing") as failed:
        await fetch(f"{server.rest_url}/list", trusted(None), 1000)
    assert isinstance(failed.value.bug, ImportError)


async def test_what_speaks_another_protocol() -> None:
    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    async with accepting(mumble) as port:
        with pytest.raises(VenueProtocolError, match="does not speak WebSocket"):
            await connect(f"ws://127.0.0.1:{port}")
        with pytest.raises(VenueProtocolError, match="does not speak HTTP"):
            await fetch(f"http://127.0.0.1:{port}", trusted(None), 1000)


async def test_what_accepts_and_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with accepting(hang_up) as port:
        with pytest.raises(UnreachableError, match="hung up before it answered"):
            await connect(f"ws://127.0.0.1:{port}")


async def test_what_accepts_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "OPEN_TIMEOUT_S", 0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(UnreachableError, match=r"did not answer within 0\.05 s"),
    ):
        await connect(f"ws://127.0.0.1:{mute.getsockname()[1]}")


async def test_a_reply_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "WHOLE_TIMEOUT_S", 0.05)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(UnreachableError, match=r"was not read within 0\.05 s"),
    ):
        await fetch(f"http://127.0.0.1:{mute.getsockname()[1]}", trusted(None), 1000)


async def test_a_reply_over_http(server: FakeServer) -> None:
    assert b"ethbtc" in await fetch(f"{server.rest_url}/list", trusted(None), 1000)


async def test_a_reply_above_the_limit_is_refused(server: FakeServer) -> None:
    with pytest.raises(VenueProtocolError, match="more than 10 bytes"):
        await fetch(f"{server.rest_url}/list", trusted(None), 10)


async def test_a_private_authority_is_trusted_when_named(tls_server: FakeServer, pki: Path) -> None:
    connection = await connect(tls_server.ws_url, pki / "ca.pem")
    await connection.close()
    assert await fetch(f"{tls_server.rest_url}/list", trusted(pki / "ca.pem"), 1000)


@pytest.mark.parametrize("authority", [None, "stranger.pem"])
async def test_nobody_else_is_trusted(
    tls_server: FakeServer, pki: Path, authority: str | None
) -> None:
    ca_file = pki / authority if authority else None
    with pytest.raises(
        VenueCertificateError, match=r"not to be trusted .* --ca-file"
    ) as by_websocket:
        await connect(tls_server.ws_url, ca_file)
    with pytest.raises(VenueCertificateError, match=r"not to be trusted .* --ca-file"):
        await fetch(f"{tls_server.rest_url}/list", trusted(ca_file), 1000)
    assert by_websocket.value.retry_after_s == PATIENT_RETRY_S


async def test_a_certificate_for_another_name_is_not(tls_server: FakeServer, pki: Path) -> None:
    url = tls_server.ws_url.replace("127.0.0.1", "localhost")
    with pytest.raises(VenueCertificateError, match="not to be trusted"):
        await connect(url, pki / "ca.pem")


async def test_plain_text_is_not_taken_for_tls(server: FakeServer) -> None:
    with pytest.raises(TransportError):
        await connect(server.ws_url.replace("ws://", "wss://"))


@pytest.mark.parametrize("content", [None, "no certificate\n", ""])
def test_a_ca_file_of_no_use_is_said_in_a_sentence(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"--ca-file '.*ca\.pem' .*PEM file"):
        trusted(file)


@pytest.mark.parametrize(
    "url",
    [
        *("venue.example", "http://venue.example", "ws://", "ws://venue:99999", "ws://venue:0", ""),
        *("ws://xn--a", "ws://venue\x00"),
    ],
)
def test_a_url_of_no_use_is_said_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match=r"--ws-url .* write ws or wss://host"):
        check_url(url, "--ws-url", STREAM_SCHEMES)


def test_a_good_url_loses_its_closing_slash() -> None:
    assert check_url("wss://venue.example/ws/", "--ws-url", STREAM_SCHEMES).endswith("/ws")
    assert check_url("https://venue.example", "--rest-url", REST_SCHEMES)
