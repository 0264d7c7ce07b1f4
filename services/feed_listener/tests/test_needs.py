"""A venue's needs beside requests: patience, signs of life, an address asked for anew."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from dragonfly_common.types import FeedState
from dragonfly_venues.events import FrameError
from dragonfly_venues.transport import VenueProtocolError
from dragonfly_venues.venue import EndpointSource
from fake_venue import CALM, LIMITS, FakeServer, FakeVenue, eventually
from feed_listener.connection.endpoint import check_endpoint
from listening import listening
from loopback import accepting
from prometheus_client import REGISTRY
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

SYNCING, LIVE, DOWN = FeedState.SYNCING, FeedState.LIVE, FeedState.DOWN
IMPATIENT = msgspec.structs.replace(CALM, ack_timeout_s=0.2)
BY_THE_CLOCK = msgspec.structs.replace(CALM, keepalive_s=0.05)


def ops(server: FakeServer) -> list[str]:
    return [request["op"] for request in server.requests]


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what the WebSocket pings held that servers have received."""
    heard: list[bytes] = []
    take = ServerConnection.process_event

    def note(connection: ServerConnection, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            heard.append(bytes(event.data))
        take(connection, event)

    monkeypatch.setattr(ServerConnection, "process_event", note)
    return heard


async def test_nothing_is_said_before_a_late_welcome(
    server: FakeServer, pings: list[bytes], tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(CALM, probe_after_s=0.05, keepalive_s=0.05)
    venue = FakeVenue(welcomes=True, probes=True, liveness=nervous)
    venue.greeting = [json.dumps({"op": "greeting", "symbols": []})]
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: len(pings) >= 2, "its life is asked for by the socket's own pings")
        assert server.requests == []
        await server.send({"t": "welcome"})
        await consumer.live("ETH-BTC", 1)
        await eventually(lambda: "keepalive" in ops(server), "its clock has begun")
        assert ops(server)[0] == "greeting"
        assert server.opened == 1


async def test_nothing_is_asked_while_a_venue_wants_a_pause(
    server: FakeServer, pings: list[bytes], tmp_path: Path
) -> None:
    nervous = msgspec.structs.replace(CALM, probe_after_s=0.05)
    paused = msgspec.structs.replace(LIMITS, pause_after_connect_s=0.3)
    venue = FakeVenue(limits=paused, liveness=nervous)
    venue.greeting = [json.dumps({"op": "greeting", "symbols": []})]
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await eventually(lambda: len(pings) >= 2, "its life is asked for meanwhile")
        assert server.requests == []
        await consumer.live("ETH-BTC", 1)
        assert ops(server) == ["greeting", "sub"]
        assert server.opened == 1


async def test_a_venue_that_never_welcomes_is_left(server: FakeServer, tmp_path: Path) -> None:
    venue = FakeVenue(welcomes=True, liveness=IMPATIENT)
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        down = await consumer.state("ETH-BTC", DOWN)
        assert down.reason.startswith("fake says no welcome")
        await eventually(lambda: server.opened > 1, "another connection")
        assert server.requests == []


async def test_signs_of_life_go_out_by_the_clock_while_data_flows(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    venue = FakeVenue(liveness=BY_THE_CLOCK)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        seq = 1
        while ops(server).count("keepalive") < 3:
            seq += 1
            await server.book("ethbtc", seq, 10.0 + seq)
            await asyncio.sleep(0)
        await consumer.live("ETH-BTC", seq)
        ids = [request["id"] for request in server.requests]
        assert len(set(ids)) == len(ids)


async def test_frames_carry_the_time_where_the_venue_wants_it(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    venue = FakeVenue(liveness=BY_THE_CLOCK)
    venue.stamp = lambda frame, now_ns: f'{{"time":{now_ns},{frame[1:]}'
    before = time.time_ns()
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        await eventually(lambda: "keepalive" in ops(server), "a sign of life")
    times = [request["time"] for request in server.requests]
    assert before <= times[0] <= times[-1] <= time.time_ns()


def not_gzip() -> float:
    labels = {"reason": "not_gzip", "venue": "fake"}
    return REGISTRY.get_sample_value("dragonfly_listener_malformed_total", labels) or 0.0


async def test_packed_frames_are_read_and_what_is_no_such_frame_is_counted(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue()
    venue.gzip = server.gzip = True
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        before = not_gzip()
        server.send_at_once({"t": "not packed"})
        await server.open[0].send(gzip.compress(bytes(2 * LIMITS.max_frame_bytes)))
        await server.book("ethbtc", 2, 11.0)
        await consumer.live("ETH-BTC", 2)
        assert not_gzip() == before + 2
        assert server.opened == 1


async def test_a_challenge_is_answered_with_its_text(server: FakeServer, tmp_path: Path) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        server.send_at_once({"t": "challenge", "id": 41}, {"t": "challenge", "id": 42})
        await eventually(lambda: ops(server).count("response") == 2, "both answers")
        answers = [request["id"] for request in server.requests if request["op"] == "response"]
        assert answers == [41, 42]


async def test_what_an_acknowledgement_leaves_out_is_refused(
    server: FakeServer, tmp_path: Path
) -> None:
    server.acks = False
    async with listening(server, tmp_path, instruments=["BTC-USD"]) as consumer:
        consumer.want("BTC-USD")
        await eventually(lambda: server.asked("sub") == [["btcusd"]], "asked")
        others = "it is not in the list"
        await server.send({"t": "ack", "id": 1, "symbols": ["ethbtc"], "others": others})
        await consumer.saying("BTC-USD", f"fake refuses it: {others}")


async def test_a_checksum_that_comes_by_itself_counts_as_an_audit(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        assert (await consumer.live("ETH-BTC", 1)).score is None
        await server.send({"t": "verified", "s": "ethbtc"})
        await server.book("ethbtc", 2, 11.0)
        assert (await consumer.live("ETH-BTC", 2)).score == 1.0


async def test_what_lost_frames_belonged_to_is_unknown_so_every_book_is_resynced(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 20.0)
    async with listening(server, tmp_path, instruments=["ETH-BTC", "BTC-USD"]) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        await server.send({"t": "lost"})
        for instrument in ("ETH-BTC", "BTC-USD"):
            void = await consumer.saying(instrument, "resyncing: lost (7 frames)")
            assert (void.state, void.bids) == (SYNCING, ())
            course = [SYNCING, LIVE, SYNCING, LIVE]
            await eventually(lambda: consumer.states(instrument) == course, instrument)  # noqa: B023
        assert server.opened == 1


async def test_a_loss_on_one_connection_resyncs_what_that_carries_alone(
    server: FakeServer, tmp_path: Path
) -> None:
    await server.book("ethbtc", 1, 10.0)
    await server.book("btcusd", 1, 20.0)
    venue = FakeVenue(limits=msgspec.structs.replace(LIMITS, streams_per_connection=1))
    async with listening(
        server, tmp_path, venue=venue, instruments=["ETH-BTC", "BTC-USD"]
    ) as consumer:
        consumer.want("ETH-BTC")
        consumer.want("BTC-USD")
        await consumer.live("ETH-BTC", 1)
        await consumer.live("BTC-USD", 1)
        await server.send({"t": "lost"}, "ethbtc")
        await consumer.saying("ETH-BTC", "resyncing: lost (7 frames)")
        await server.book("btcusd", 2, 21.0)
        await consumer.live("BTC-USD", 2)
        await eventually(
            lambda: consumer.states("ETH-BTC") == [SYNCING, LIVE, SYNCING, LIVE], "ETH-BTC back"
        )
        assert consumer.states("BTC-USD") == [SYNCING, LIVE]
        assert server.asked("unsub") == [["ethbtc"]]


class Endpoints:
    """Tells where the socket is: what `replies` has next, its last one again and again."""

    def __init__(self, *replies: tuple[int, str]) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        async with accepting(self._answer) as port:
            yield f"http://127.0.0.1:{port}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.partition(b" HTTP")[0].decode())
        status, body = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        length = f"Content-Length: {len(body)}"
        writer.write(f"HTTP/1.1 {status} x\r\nRetry-After: 0\r\n{length}\r\n\r\n{body}".encode())
        writer.close()


def _parse(reply: bytes, number: int) -> str:
    if b"://" not in reply:
        raise FrameError("bad_shape", reply.decode())
    return f"{reply.decode()}/{number}"


async def test_each_connection_asks_anew_where_the_socket_is(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(endpoint=EndpointSource(rest_path="/where", parse=_parse))
    await server.book("ethbtc", 1, 10.0)
    endpoints = Endpoints((200, f"ws://127.0.0.1:{server.port}/token"))
    async with (
        endpoints.served() as url,
        listening(
            server, tmp_path, venue=venue, instruments=["ETH-BTC"], endpoint_url=url
        ) as consumer,
    ):
        consumer.want("ETH-BTC")
        before = await consumer.live("ETH-BTC", 1)
        await server.open[0].close(1001)
        await consumer.book("ETH-BTC", lambda b: b.feed_epoch > before.feed_epoch, "a new epoch")
        assert endpoints.asked == ["POST /where", "POST /where"]
        paths = [connection.request.path for connection in server.connections if connection.request]
        assert paths == ["/token/1", "/token/2"]


async def test_why_no_socket_is_named_is_said_until_one_is(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VenueProtocolError, "retry_after_s", 0.0)
    venue = FakeVenue(endpoint=EndpointSource(rest_path="/where", parse=_parse))
    await server.book("ethbtc", 1, 10.0)
    endpoints = Endpoints(
        (503, "later"),
        (200, "maintenance"),
        (200, "ws://169.254.169.254/latest"),
        (200, "http://127.0.0.1/"),
        (200, "ws://127.0.0.1:1/?token=secret"),
        (200, f"ws://127.0.0.1:{server.port}"),
    )
    async with (
        endpoints.served() as url,
        listening(
            server, tmp_path, venue=venue, instruments=["ETH-BTC"], endpoint_url=url
        ) as consumer,
    ):
        consumer.want("ETH-BTC")
        await consumer.live("ETH-BTC", 1)
        reasons = [book.reason for book in consumer.said("ETH-BTC") if book.state is DOWN]
    assert "HTTP 503" in reasons[0]
    assert reasons[1] == f"{url}/where names no socket (bad_shape: maintenance)"
    assert reasons[2] == (
        f"{url}/where names the socket 'ws://169.254.169.254/latest/3': only 127.0.0.1 and hosts "
        "of its own domain are connected to"
    )
    assert reasons[3] == (
        f"{url}/where names the socket 'http://127.0.0.1//4', which is no ws:// or wss:// address"
    )
    assert reasons[4].startswith("ws://127.0.0.1:1/ cannot be reached")
    assert len(endpoints.asked) == 6


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("https://api.kucoin.com/x", "wss://ws-api-spot.kucoin.com/?token=1"),
        ("https://api.kucoin.com/x", "wss://kucoin.com"),
        ("https://kucoin.com/x", "wss://a.b.kucoin.com:8443/"),
        ("https://api.venue.co.uk/x", "wss://ws.venue.co.uk"),
        ("http://simulator:9100/x", "ws://simulator:9100/kucoin"),
        ("http://10.0.0.1/x", "wss://10.0.0.1"),
        ("http://[::1]:9/x", "ws://[::1]:10"),
    ],
)
def test_a_socket_of_the_same_owner_is_connected_to(asked: str, named: str) -> None:
    check_endpoint(named, asked)


@pytest.mark.parametrize(
    ("asked", "named", "why"),
    [
        ("https://api.kucoin.com/x", "wss://evil.example", "only api.kucoin.com"),
        ("https://api.kucoin.com/x", "wss://notkucoin.com", "only api.kucoin.com"),
        ("https://api.kucoin.com/x", "wss://kucoin.com.evil.example", "only api.kucoin.com"),
        ("https://api.kucoin.com/x", "wss://api.kucoin.com@evil.example", "only api.kucoin.com"),
        ("https://api.kucoin.com/x", "wss://127.0.0.1:6379", "only api.kucoin.com"),
        ("https://api.kucoin.com/x", "wss://localhost", "only api.kucoin.com"),
        ("https://api.kucoin.com/x", "ws://ws.kucoin.com", "must be wss"),
        ("https://api.venue.co.uk/x", "wss://other.co.uk", "only api.venue.co.uk"),
        ("https://venue.co.uk/x", "wss://other.co.uk", "only venue.co.uk"),
        ("http://10.0.0.1/x", "ws://11.0.0.1", "only 10.0.0.1"),
        ("http://simulator/x", "ws://gateway", "only simulator"),
        ("http://api.kucoin.com/x", "file:///etc/passwd", "no ws:// or wss:// address"),
        ("http://api.kucoin.com/x", "wss://", "no ws:// or wss:// address"),
        ("http://api.kucoin.com/x", "wss://api.kucoin.com:99999", "no ws:// or wss:// address"),
        ("http://api.kucoin.com/x", "wss://[", "no ws:// or wss:// address"),
    ],
)
def test_a_socket_of_somebody_else_is_not(asked: str, named: str, why: str) -> None:
    with pytest.raises(VenueProtocolError, match=why) as refused:
        check_endpoint(named, asked)
    assert str(refused.value).isprintable()


def test_a_token_is_not_said() -> None:
    with pytest.raises(VenueProtocolError) as refused:
        check_endpoint("wss://evil.example/?token=secret", "https://api.kucoin.com/x")
    assert "secret" not in str(refused.value)
