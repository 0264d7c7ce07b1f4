"""What a hundred bots notice of one that is broken or means ill, and what it leaves behind.

    python bench/hostile_bots.py [SECONDS] [HOSTILITY...]

A hundred bots on a seeded market, in turns of SECONDS (default 10): in peace, then with one
hostility going on. Prints for each hostility the p99 of the latency from the listener's socket to
the other bots, in peace and under it, and their ratio: the median of five pairs of turns, so that
what else goes on at the machine is in both. Then how long the gateway took at worst to give back
the streams and file descriptors that the hostility held, how many those were, and by how much its
memory grew over all turns. The bots share one process and its load is in the figures; hostilities
are processes of their own, on the same cores.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import grpc
import trustme
from dragonfly_client import DragonflyClient, Tls
from dragonfly_protos import market_data_pb2 as pb
from slopes import percentile
from system import VENUES, Bot, Process, System, eventually, live_venues

BOTS: Final = 100
RATE: Final = 2
TURNS: Final = 5
SETTLE_S: Final = 2.0
BACK_WITHIN_S: Final = 30.0
CONNECTS_PER_S: Final = 1000
HALF_OPEN: Final = 100
CROWD: Final = 20

HTTP2: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
BOOK: Final = pb.BookRequest(instrument="ETH-BTC").SerializeToString()
STREAM_BOOK: Final = "/dragonfly.v1.MarketData/StreamBook"
SESSION: Final = "/dragonfly.v1.MarketData/Session"


# What hostile processes do, until they are killed.


def connect(host: str, port: int) -> None:
    """Open a thousand connections a second, each for a moment."""
    began, count = time.monotonic(), 0
    while True:
        with socket.socket() as connection:
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.connect((host, port))
            with suppress(OSError):
                connection.send(HTTP2)
        count += 1
        time.sleep(max(0.0, began + count / CONNECTS_PER_S - time.monotonic()))


def half_open(host: str, port: int) -> None:
    """Begin a hundred TLS handshakes, and others when they are hung up on."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    while True:
        held = [socket.create_connection((host, port)) for _ in range(HALF_OPEN)]
        for connection in held:
            connection.sendall(hello)
        for connection in held:
            with suppress(OSError):
                connection.recv(1)
            connection.close()


def talk_nonsense(host: str, port: int) -> None:
    """Say what is no gRPC, a hundred times a second."""
    nonsense = (b"GET / HTTP/1.1\r\n\r\n", os.urandom(2000), HTTP2 + os.urandom(2000))
    while True:
        for words in nonsense:
            with suppress(OSError), socket.create_connection((host, port)) as connection:
                connection.sendall(words)
            time.sleep(0.01)


def never_read(host: str, port: int) -> None:
    """Open streams and read none of them."""
    channels = [_channel(host, port) for _ in range(CROWD)]
    held = [channel.unary_stream(STREAM_BOOK)(BOOK) for channel in channels]
    signal.pause()
    del held


def get_stuck(host: str, port: int) -> None:
    """Open sessions, acknowledge once, and compute for ever: gRPC's threads answer its pings."""
    subscribe = pb.Subscription(view=pb.VIEW_BOOK, instrument="ETH-BTC")
    requests = [pb.SessionRequest(ack=0, window=8), pb.SessionRequest(subscribe=subscribe)]
    encoded = [request.SerializeToString() for request in requests]
    channels = [_channel(host, port) for _ in range(CROWD)]
    held = [channel.stream_stream(SESSION)(iter(encoded)) for channel in channels]
    for session in held:
        next(session)
    while True:
        time.sleep(0.001)


def abandon(host: str, port: int) -> None:
    """Open streams, drop them with their connection, and again."""
    while True:
        for _ in range(CROWD):
            channel = _channel(host, port)
            next(channel.unary_stream(STREAM_BOOK)(BOOK))
            channel.close()


def ask_nothing(host: str, port: int) -> None:
    """Open calls and send no request."""
    never = signal.pause
    channels = [_channel(host, port) for _ in range(CROWD)]
    while True:
        calls = [
            channel.stream_stream(STREAM_BOOK)(iter(never, None))
            for channel in channels
            for _ in range(5)
        ]
        for call in calls:
            call.code()


def ask_too_much(host: str, port: int) -> None:
    """Send requests that are malformed or too large, as fast as they are refused."""
    get = _channel(host, port).unary_unary("/dragonfly.v1.MarketData/GetBook")
    while True:
        for request in (b"\xff" * 100, b"\xff" * 60_000, b"\xff" * 100_000):
            get.future(request).code()


def flood(host: str, port: int) -> None:
    """Acknowledge as fast as the transport takes it."""
    subscribe = pb.SessionRequest(ack=0, window=1).SerializeToString()
    session = _channel(host, port).stream_stream(SESSION)(iter(lambda: subscribe, None))
    session.code()


def _channel(host: str, port: int) -> grpc.Channel:
    own = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    return grpc.insecure_channel(f"{host}:{port}", options=own)


HOSTILITIES: Final[dict[str, Callable[[str, int], None]]] = {
    act.__name__: act
    for act in (
        never_read,
        get_stuck,
        abandon,
        connect,
        half_open,
        talk_nonsense,
        ask_nothing,
        ask_too_much,
        flood,
    )
}


class Held(NamedTuple):
    """What the gateway holds."""

    streams: int
    fds: int
    rss_mib: float

    def back(self, before: Held) -> bool:
        """Say whether no more is held than before; freed memory may stay with the process."""
        return self.streams <= before.streams and self.fds <= before.fds


def held(gateway: Process) -> Held:
    (ready,) = (event for event in gateway.events() if event["event"] == "ready")
    with urlopen(f"http://{ready['status']}/metrics") as page:
        lines = page.read().decode().splitlines()
    streams = next(line for line in lines if line.startswith("dragonfly_gateway_streams "))
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    return Held(
        int(float(streams.split()[1])),
        sum(1 for _ in Path(f"/proc/{gateway.pid}/fd").iterdir()),
        int(status.partition("VmRSS:")[2].split()[0]) / 1024,
    )


async def p99_ms(bots: Sequence[Bot], seconds: float) -> float:
    """Let the bots read for a while; return the 99th percentile of what all of them got."""
    for bot in bots:
        bot.books.clear()
    await asyncio.sleep(seconds)
    books = [book for bot in bots for book in bot.books]
    return percentile([book.latency_ns / 1e6 for book in books if book.latency_ns], 99)


@asynccontextmanager
async def stalled_bot(
    address: str, bots: Sequence[Bot], behind_ms: list[float]
) -> AsyncIterator[None]:
    """Let one more bot stand still after its first book.

    Notes how much older its next one is than the newest that the others have.
    """
    async with (
        DragonflyClient(address) as client,
        aclosing(client.book("ETH-BTC")) as stalled,
    ):
        await anext(stalled)
        yield
        newest = max(bot.latest["ETH-BTC"].ts_agg for bot in bots)
        behind_ms.append(max(0, newest - (await anext(stalled)).ts_agg) / 1e6)


@asynccontextmanager
async def hostile_process(name: str, address: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--as", name, address, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.sleep(SETTLE_S)
        assert process.returncode is None, f"{name} ended by itself"
        yield
    finally:
        process.kill()
        await process.wait()


async def measure(name: str, system: System, bots: Sequence[Bot], seconds: float) -> None:
    """Measure one hostility and print its line."""
    gateway, address = system.processes["gateway"], system.gateway_address
    peace: list[float] = []
    war: list[float] = []
    behind_ms: list[float] = []
    back_s: list[float] = []
    before = held(gateway)
    for _ in range(TURNS):
        peace.append(await p99_ms(bots, seconds))
        begin = (
            stalled_bot(address, bots, behind_ms)
            if name == "stalled"
            else hostile_process(name, address)
        )
        async with begin:
            war.append(await p99_ms(bots, seconds))
            during = held(gateway)
        began = time.monotonic()
        with suppress(AssertionError):
            await eventually(
                lambda: held(gateway).back(before), within_s=BACK_WITHIN_S, what="all is back"
            )
        took = time.monotonic() - began
        back_s.append(took if took < BACK_WITHIN_S else math.inf)
    after = held(gateway)
    ratio = median(b / a for a, b in zip(peace, war, strict=True))
    print(
        f"{name:14}{median(peace):9.2f}{median(war):9.2f}{ratio:7.2f}{max(back_s):8.1f}"
        f"{during.streams - before.streams:9}{during.fds - before.fds:6}"
        f"{after.rss_mib - before.rss_mib:+7.1f}"
        + (f"   resumed {max(behind_ms):.0f} ms behind at worst" if behind_ms else ""),
        flush=True,
    )


async def measure_all(names: Sequence[str], seconds: float, *, encrypted: bool) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        system = stack.enter_context(System(folder))
        tls, options = _tls(folder) if encrypted else (None, ())
        await system.start_simulator("--rate", str(RATE))
        await asyncio.gather(
            *(system.start_listener(venue) for venue in VENUES),
            system.start_aggregator(),
            system.start_gateway("--status", "127.0.0.1:0", "--instrument", "ETH-BTC", *options),
        )
        bots = [Bot(system.gateway_address, "ETH-BTC", tls=tls) for _ in range(BOTS - 1)]
        for bot in bots:
            await stack.enter_async_context(bot)
        for bot in bots:
            await bot.until(
                lambda book: live_venues(book) == set(VENUES), within_s=60, what="all venues"
            )
        for name in names:
            await measure(name, system, bots, seconds)


def _tls(folder: Path) -> tuple[Tls, Sequence[str]]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca)
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    return Tls(ca_file=ca), ("--tls-cert", str(cert), "--tls-key", str(key))


async def main(seconds: float, names: Sequence[str]) -> None:
    print(
        f"{'':14}{'peace':>9}{'under it':>9}{'ratio':>7}{'back':>8}{'held while it lasted':>21}\n"
        f"{'':14}{'p99 ms':>9}{'p99 ms':>9}{'':7}{'s':>8}{'streams':>9}{'fds':>6}{'MiB':>7}"
    )
    if plain := [name for name in names if name != half_open.__name__]:
        await measure_all(plain, seconds, encrypted=False)
    if half_open.__name__ in names:
        await measure_all([half_open.__name__], seconds, encrypted=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as"]:
        host, _, port = sys.argv[3].rpartition(":")
        HOSTILITIES[sys.argv[2]](host, int(port))
    else:
        chosen = sys.argv[2:] or ["stalled", *HOSTILITIES]
        asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0, chosen))
