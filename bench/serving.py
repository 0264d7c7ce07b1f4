"""What a book costs the gateway for each bot, beside the least that grpc.aio can do it for.

    python bench/serving.py [--seconds S] [--repeat N]

The gateway's process, between a publisher in the place of an aggregator and bots on bare grpc.aio,
each on a connection of its own. Beside it a server of a dozen lines that writes the same bytes to
as many bots, at the same rate. They take turns, S seconds each (default 4), N times (default 3);
medians are printed. What hostile bots do to the others is in `hostile_bots.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import grpc
import grpc.aio
import msgspec
import uvloop
from aggregator.world import World
from book_bots import Seen, run_bots
from dragonfly_common import codec
from dragonfly_common.messages import Book, EncodedView, VenueStatus
from dragonfly_common.topics import ViewKind, view_topic
from dragonfly_common.types import FeedState
from measuring import DRAINED_S, START_WITHIN_S, Worker, medians, paced, print_table, save, usage
from merging import DEPTH, walk
from speakers import Speaker, run_speakers
from system import System
from venue_sender import INSTRUMENT

VIEWS: Final = 500
NOT_RESTED_NS: Final = 2**62
"""When the views were computed: they are sent at once, as if they were of this moment."""
BOT_PROCESSES: Final = 2
WARM_UP_S: Final = 1.0
VENUES: Final = ("binance", "bitstamp")


class Load(NamedTuple):
    bots: int
    rate: float
    """Books a second."""


LOADS: Final = (Load(1, 200), Load(50, 40), Load(500, 4))


def views() -> list[bytes]:
    """Return views of two venues as an aggregator encodes them."""
    world = World(1, DEPTH, 10.0)
    for name in VENUES:
        world.on_venue(name, VenueStatus(name, FeedState.LIVE, "", name, 1, 1, 1))
    world.want(ViewKind.BOOK, INSTRUMENT)
    world.evaluate(0.0, 0)
    found: list[bytes] = []
    walks = [walk(number, VIEWS) for number in range(len(VENUES))]
    for now, bodies in enumerate(zip(*walks, strict=True), start=1):
        for name, raw in zip(VENUES, bodies, strict=True):
            book = codec.decode_body(raw)
            assert isinstance(book, Book)
            world.on_book(name, INSTRUMENT, name, book, now, float(now))
        for _, view in world.evaluate(float(now), NOT_RESTED_NS + now).publish:
            found.append(bytes(codec.encode_body(view)))
    return found


class Served:
    """A server's process, and how to make it serve."""

    def __init__(
        self,
        pid: int,
        address: str,
        speaker: Worker,
        stack: ExitStack,
        bots: Callable[[Connection, str, str], None] = run_bots,
    ) -> None:
        self.address = address
        self._pid = pid
        self._speaker = speaker
        self._bots = [
            stack.enter_context(Worker(bots, address, INSTRUMENT)) for _ in range(BOT_PROCESSES)
        ]

    def say(self, rate: float, seconds: float) -> None:
        """Publish so many books a second."""
        self._speaker.ask("say", rate, seconds)

    def measure(self, load: Load, seconds: float) -> tuple[float, float]:
        """Return µs of the server for each book that a bot got, and how many a second they got."""
        bots = self._bots[: min(load.bots, BOT_PROCESSES)]
        for bot in bots:
            bot.tell("read", load.bots // len(bots))
        for bot in bots:
            bot.answer()
        self.say(load.rate, WARM_UP_S)
        before = usage(self._pid).cpu_s
        for bot in bots:
            bot.ask("forget")
        self.say(load.rate, seconds)
        time.sleep(DRAINED_S)
        used = usage(self._pid).cpu_s - before
        for bot in bots:
            bot.tell("judge", {})
        seen: list[Seen] = [bot.answer() for bot in bots]
        books = sum(one.books for one in seen)
        return used / books * 1e6, books / seconds


def serve_gateway(stack: ExitStack, bodies: Sequence[bytes]) -> Served:
    """Start the gateway and its publisher."""
    system = stack.enter_context(System(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
    system.start_within_s = START_WITHIN_S
    speaker = Speaker(
        system.address("aggregator"),
        "aggregator",
        [],
        [(view_topic(ViewKind.BOOK, INSTRUMENT), bodies)],
    )
    saying = stack.enter_context(Worker(run_speakers, [speaker]))
    saying.answer()
    asyncio.run(system.start_gateway(f"--instrument={INSTRUMENT}"))
    pid = system.processes["gateway"].pid
    return Served(pid, system.gateway_address, saying, stack)


def serve_bare(stack: ExitStack, bodies: Sequence[bytes]) -> Served:
    """Start the bare server."""
    payloads = []
    for body in bodies:
        view = codec.decode_body(msgspec.Raw(body))
        assert isinstance(view, EncodedView)
        payloads.append(view.body)
    bare = stack.enter_context(Worker(run_bare, payloads))
    return Served(bare.pid, bare.answer(), bare, stack)


def run_bare(pipe: Connection, payloads: Sequence[bytes]) -> None:
    """Serve the payloads, one after another at the pace that is asked for, to whoever calls."""
    uvloop.run(_bare(pipe, payloads))


async def _bare(pipe: Connection, payloads: Sequence[bytes]) -> None:
    waiting: set[asyncio.Event] = set()
    loop, turn = asyncio.get_running_loop(), 0

    async def serve(_: bytes, context: Any) -> None:
        told = asyncio.Event()
        told.set()  # the present book comes first
        waiting.add(told)
        try:
            while True:
                await told.wait()
                told.clear()
                await context.write(payloads[turn])
        finally:
            waiting.discard(told)

    def tell() -> None:
        nonlocal turn
        turn = (turn + 1) % len(payloads)
        for told in waiting:
            told.set()

    def pace() -> None:
        with suppress(EOFError):  # the benchmark has ended
            while True:
                _, rate, seconds = pipe.recv()
                for _ in paced(rate, seconds):
                    loop.call_soon_threadsafe(tell)
                pipe.send("said")

    server = grpc.aio.server()
    method = grpc.unary_stream_rpc_method_handler(serve)
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "orderbook.OrderbookAggregator", {"BookSummary": method}
            )
        ]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    pipe.send(f"127.0.0.1:{port}")
    pacing = threading.Thread(target=pace, daemon=True)
    pacing.start()
    await asyncio.to_thread(pacing.join)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a bot costs the gateway.")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    bodies = views()
    found = defaultdict(list)
    with ExitStack() as stack:
        gateway, bare = serve_gateway(stack, bodies), serve_bare(stack, bodies)
        for _ in range(given.repeat):
            for load in LOADS:
                ours, per_s = gateway.measure(load, given.seconds)
                theirs, bare_per_s = bare.measure(load, given.seconds)
                found[load].append(
                    {
                        "gateway µs": ours,
                        "bare µs": theirs,
                        "ratio": ours / theirs,
                        "books/s": per_s,
                        "bare books/s": bare_per_s,
                    }
                )
    rows = {load: medians(figures) for load, figures in found.items()}
    print_table(
        "A gateway: CPU µs for each book that a bot got, beside bare grpc.aio",
        ["bots", "asked/s", *next(iter(rows.values()))],
        [[*load, *figures.values()] for load, figures in rows.items()],
    )
    save("serving", {"rows": [load._asdict() | f for load, f in rows.items()]})


if __name__ == "__main__":
    main()
