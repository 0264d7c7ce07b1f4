"""What the same work costs when it is done seldom.

    python bench/cold.py [SECONDS]

An update's way through the system, in one process without the bus: a record of TLS is decrypted
(OpenSSL, no Python), the frame in it read, its book merged into the view of two venues, and the
view written by `grpc.aio` (C++, and the kernel's sending) to a bot in another process. Each step is
timed by itself, for SECONDS (default 2) a row: where updates follow each other at once, and where
one comes every so often, while the process sleeps, or its loop goes round and round, or it does the
same work all the time. Medians, in µs of the clock. What a row adds to the first is memory that is
fetched again: code and data that were pushed out of the processor's caches in between.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from itertools import pairwise
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, Final

import grpc
import grpc.aio
import msgspec
import trustme
import uvloop
from aggregator.world import World
from dragonfly_common.messages import Book, EncodedView, VenueStatus
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState, Side
from dragonfly_venues.events import BookTop
from dragonfly_venues.registry import find_venue
from measuring import Worker, print_table, save

DEPTH: Final = 10
INSTRUMENT: Final = "BTC-USDT"
STEPS: Final = ("TLS", "frame read", "book merged", "gRPC's write")
PAUSES_MS: Final = (1, 5, 50)
MOST_UPDATES: Final = 2000
WARM_UP: Final = 300
RECORDS: Final = 500
_METHOD: Final = "/cold.Cold/Stream"

Rest = Callable[[float], Awaitable[None]]


class Way:
    """An update's way up to the view."""

    def __init__(self) -> None:
        self._frames = _frames()
        self._wire, self._ours, self._theirs = _connected()
        self._records: list[bytes] = []
        self._decoder = find_venue("binance").decoder(DEPTH)
        self._world = World(1, DEPTH, 10.0)
        for name in ("binance", "bitstamp"):
            self._world.on_venue(name, VenueStatus(name, FeedState.LIVE, "", name, 1, 1, 1))
        self._world.want(ViewKind.BOOK, INSTRUMENT)
        self._world.evaluate(0.0, 0)
        self._seq = 0
        self.go()
        (top,) = find_venue("binance").decoder(DEPTH).decode(next(_frames()))
        assert isinstance(top, BookTop)
        self._hear("bitstamp", top.bids, top.asks)

    def go(self) -> tuple[list[int], bytes]:
        """Return ns at which each step began and the last one ended, and the view."""
        if not self._records:
            self._encrypt()
        record = self._records.pop()
        clock = time.perf_counter_ns
        began = clock()
        self._wire.write(record)
        frame = self._ours.read(65536)
        decrypted = clock()
        (top,) = self._decoder.decode(frame)
        read = clock()
        assert isinstance(top, BookTop)
        view = self._hear("binance", top.bids, top.asks)
        return [began, decrypted, read, clock()], view

    def _hear(self, venue: str, bids: Side, asks: Side) -> bytes:
        self._seq = seq = self._seq + 1
        book = Book(FeedState.LIVE, "", 1, seq, None, seq, bids, asks)
        self._world.on_book(venue, INSTRUMENT, venue, book, seq, float(seq))
        view = self._world.evaluate(float(seq), seq).publish[-1][1]
        assert isinstance(view, EncodedView)
        return view.body

    def _encrypt(self) -> None:
        """Make records ready: nothing is encrypted between updates."""
        for _ in range(RECORDS):
            self._theirs.write(next(self._frames))
            self._records.append(self._wire.read())
        self._records.reverse()


def _frames() -> Iterator[bytes]:
    """Yield whole books, of which each changes an amount among the best of a side."""
    chance = random.Random(1)
    bids, asks = (
        [(f"{best + step * n}.10", f"{chance.uniform(0.001, 9):.8f}") for n in range(20)]
        for best, step in ((38500, -1), (38501, 1))
    )
    seq = 0
    while True:
        seq += 1
        side = chance.choice((bids, asks))
        at = chance.randrange(DEPTH // 3)  # two venues share the best ten
        side[at] = (side[at][0], f"{chance.uniform(0.001, 9):.8f}")
        data = {"lastUpdateId": seq, "bids": bids, "asks": asks}
        yield msgspec.json.encode({"stream": "btcusdt@depth20@100ms", "data": data})


def _connected() -> tuple[ssl.MemoryBIO, ssl.SSLObject, ssl.SSLObject]:
    """Return the wire from their end of a TLS connection to ours, our end and theirs."""
    authority = trustme.CA()
    to_us, to_them = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    ours = trusting.wrap_bio(to_us, to_them, server_hostname="localhost")
    theirs = serving.wrap_bio(to_them, to_us, server_side=True)
    for end in (ours, theirs, ours, theirs):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    with suppress(ssl.SSLWantReadError):
        ours.read(1)  # the tickets that a server sends first
    return to_us, ours, theirs


class _Stretch:
    """A coroutine, of which it is noted how long it took until it had to wait."""

    def __init__(self, coroutine: Awaitable[None]) -> None:
        self._steps = coroutine.__await__()
        self.ns = 0

    def __await__(self) -> Generator[Any, None, None]:
        began = time.perf_counter_ns()
        waiting = next(self._steps)
        self.ns = time.perf_counter_ns() - began
        yield waiting
        yield from self._steps


async def _row(way: Way, context: Any, rest: Rest, pause_s: float, seconds: float) -> list[float]:
    """Return the median µs of each step, of updates `pause_s` apart."""
    taken: list[list[int]] = []
    updates = min(MOST_UPDATES, round(seconds / pause_s)) if pause_s else MOST_UPDATES
    for _ in range(updates):
        await rest(pause_s)
        times, view = way.go()
        writing = _Stretch(context.write(view))
        await writing
        steps = [after - before for before, after in pairwise(times)]
        taken.append([*steps, writing.ns])
    return [median(column) / 1e3 for column in zip(*taken, strict=True)]


async def _rows(context: Any, seconds: float) -> list[tuple[str, list[float]]]:
    way = Way()

    async def asleep(pause_s: float) -> None:
        await asyncio.sleep(pause_s)

    async def awake(pause_s: float) -> None:
        until = time.perf_counter() + pause_s
        while time.perf_counter() < until:  # noqa: ASYNC110 -- going round is the point
            await asyncio.sleep(0)

    async def at_it(pause_s: float) -> None:
        until = time.perf_counter() + pause_s
        while time.perf_counter() < until:
            way.go()

    for _ in range(WARM_UP):
        await context.write(way.go()[1])
    rows = [("one after the other", await _row(way, context, asleep, 0.0, seconds))]
    kinds = (("asleep", asleep), ("the loop going round", awake), ("the same work", at_it))
    for pause_ms in PAUSES_MS:
        for name, rest in kinds:
            found = await _row(way, context, rest, pause_ms / 1e3, seconds)
            rows.append((f"every {pause_ms} ms, in between {name}", found))
    return rows


async def _measure(seconds: float) -> list[tuple[str, list[float]]]:
    rows: list[tuple[str, list[float]]] = []

    async def stream(_: bytes, context: Any) -> None:
        rows.extend(await _rows(context, seconds))

    server = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(stream)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("cold.Cold", {"Stream": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    with Worker(_read, f"127.0.0.1:{port}") as bot:
        await asyncio.to_thread(bot.answer)
        await server.stop(0)
    return rows


def _read(pipe: Connection, address: str) -> None:
    asyncio.run(_bot(pipe, address))


async def _bot(pipe: Connection, address: str) -> None:
    options = [("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        views = 0
        async for _ in channel.unary_stream(_METHOD)(b""):
            views += 1
        pipe.send(views)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rows = [(name, *found, sum(found)) for name, found in uvloop.run(_measure(seconds))]
    head = ("updates", *STEPS, "together")
    print_table("What the same work costs when it is done seldom, µs", head, rows)
    save("cold", {"rows": [dict(zip(head, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()
