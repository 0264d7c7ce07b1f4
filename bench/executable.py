"""Executable prices: what an answer costs to make, and how late it is beside the book.

    python bench/executable.py [--seconds S] [--repeat N] [--rate RATE] [--apart]

Costs are of one changed view, in the processor's time: taken off its bytes, and one size or five
walked to a seventh of the depth. Then the whole system runs between two venues that send RATE
frames a second each (default 200), and two bots, each a process: one streams the book, the other
what 5 and 40 cost to sell. They take turns, and then stream side by side. Timed is each
frame from its sending to the first message that names it; side by side, of the frames that both
name. Medians of N repetitions
(default 3) of S seconds (default 6) are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Final

import grpc
import grpc.aio
from dragonfly_common.types import OrderSide
from dragonfly_pricing.fees import FeeTable
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.executable import PricedView, PriceQuestion
from end_to_end import EndToEnd
from measuring import DRAINED_S, Worker, medians, print_table, quantile, save, say_machine
from venue_sender import INSTRUMENT, Sent

SHAPES: Final = ((3, 20), (15, 100))
"""Venues, and levels a side of each."""
FEES: Final = {"binance": 10.0, "*": 26.0}
STREAMS: Final[Mapping[str, tuple[str, bytes, type[pb.Book | pb.Executable]]]] = {
    "book": ("StreamBook", pb.BookRequest(instrument=INSTRUMENT).SerializeToString(), pb.Book),
    "executable": (
        "StreamExecutable",
        pb.ExecutableRequest(
            instrument=INSTRUMENT, side=pb.SIDE_SELL, sizes=[5, 40], fees=FEES
        ).SerializeToString(),
        pb.Executable,
    ),
}


def make_view(venues: int, depth: int) -> pb.Book:
    """Return a view of all levels of venues whose books are in line."""
    chance = random.Random(1)
    levels = []
    for venue in range(venues):
        price = 70_000 + chance.randint(0, 5)
        for _ in range(depth):
            price += chance.randint(1, 4)
            levels.append((price / 1e6, round(chance.uniform(0.01, 5), 4), f"venue{venue}"))
    asks = [pb.Level(venue=name, price=price, amount=a) for price, a, name in sorted(levels)]
    bids = [pb.Level(venue="venue0", price=0.0699, amount=1.0)] * len(asks)
    feeds = [pb.VenueFeed(venue=f"venue{one}", state=pb.STATE_LIVE) for one in range(venues)]
    return pb.Book(instrument=INSTRUMENT, bids=bids, asks=asks, venues=feeds, live=True)


def costs(venues: int, depth: int) -> dict[str, float]:
    """Return what the parts of an answer take, in µs."""
    view = make_view(venues, depth)
    body = view.SerializeToString()
    whole = sum(level.amount for level in view.asks)
    fees = FeeTable.of({f"venue{venue}": 10 + venue for venue in range(venues)})

    def asked(sizes: int) -> PriceQuestion:
        steps = [Decimal(repr(round(whole / 7 * (1 + n) / sizes, 4))) for n in range(sizes)]
        source = pb.FEE_SOURCE_REQUEST
        return PriceQuestion(OrderSide.BUY, tuple(steps), False, (), fees, source)

    one, five = asked(1), asked(5)
    repetitions = 20_000 // (venues * depth)
    return {
        "decode": _us(lambda: PricedView(body), repetitions),
        "decode, 1 size": _us(lambda: PricedView(body).answer(one, {}), repetitions),
        "decode, 5 sizes": _us(lambda: PricedView(body).answer(five, {}), repetitions),
    }


def _us(make: Callable[[], object], repetitions: int) -> float:
    took = []
    for _ in range(repetitions):
        began = time.thread_time_ns()  # of the processor's time: others may be at work beside
        make()
        took.append(time.thread_time_ns() - began)
    return quantile(sorted(took), 0.5) / 1e3


def run_reader(pipe: Connection, address: str, stream: str) -> None:
    """Read one stream: `("read",)` answers once it has a message, `("judge", sent)` with ns."""
    asyncio.run(_read(pipe, address, stream))


async def _read(pipe: Connection, address: str, stream: str) -> None:
    method, request, kind = STREAMS[stream]
    messages: list[tuple[int, pb.Book | pb.Executable]] = []
    first = asyncio.Event()

    async def read() -> None:
        options = [("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            call = channel.unary_stream(
                f"/dragonfly.v1.MarketData/{method}", response_deserializer=kind.FromString
            )
            async for message in call(request):
                messages.append((time.time_ns(), message))
                first.set()

    reading: asyncio.Task[None] | None = None
    while True:
        match await asyncio.to_thread(pipe.recv):
            case ("read",):
                messages.clear()
                first.clear()
                reading = asyncio.create_task(read())
                async with asyncio.timeout(30):
                    await first.wait()
                pipe.send("reading")
            case ("judge", sent):
                if reading is not None:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
                pipe.send(_judge(messages, sent))


def _judge(
    messages: list[tuple[int, pb.Book | pb.Executable]], sent: Mapping[str, Sent]
) -> dict[tuple[str, int], int]:
    """Return of each frame that a message names, (venue, sequence), how late the first one was."""
    times = {venue: dict(zip(one.seqs, one.ns, strict=True)) for venue, one in sent.items()}
    late: dict[tuple[str, int], int] = {}
    for ts_in, message in messages:
        for feed in message.venues:
            at = times.get(feed.venue, {}).get(feed.venue_seq)
            if at is not None:
                late.setdefault((feed.venue, feed.venue_seq), ts_in - at)
    return late


def stream(seconds: float, repeat: int, rate: float, *, apart: bool) -> dict[str, dict[str, float]]:
    """Return both streams' quantiles in ms: in turns, and side by side."""
    found = defaultdict(list)
    with EndToEnd(tls=False, apart=apart) as system, ExitStack() as stack:
        readers = {
            name: stack.enter_context(Worker(run_reader, system.address, name)) for name in STREAMS
        }

        def late(*names: str) -> dict[str, dict[tuple[str, int], int]]:
            for name in names:
                readers[name].tell("read")
            system.sender.ask("send", rate, 1.0)  # for the first messages; it does not count
            for name in names:
                readers[name].answer()
            sent = system.sender.ask("send", rate, seconds)
            time.sleep(DRAINED_S)
            return {name: readers[name].ask("judge", sent) for name in names}

        for _ in range(repeat):
            found["in turns"].append(_figures(late("book") | late("executable")))
            beside = late("book", "executable")
            both = beside["book"].keys() & beside["executable"].keys()
            shared = {name: {one: of[one] for one in both} for name, of in beside.items()}
            found["side by side"].append(_figures(shared))
    return {name: medians(of) for name, of in found.items()}


def _figures(late: Mapping[str, Mapping[tuple[str, int], int]]) -> dict[str, float]:
    figures = {
        f"{name} p{100 * share:g}": quantile(sorted(of.values()), share) / 1e6
        for share in (0.5, 0.9, 0.99)
        for name, of in late.items()
    }
    return figures | {"ratio of p50": figures["executable p50"] / figures["book p50"]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Executable prices.")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--apart", action="store_true", help="a process for each service")
    given = parser.parse_args()
    say_machine()
    made: dict[int, dict[str, float]] = {}
    for venues, depth in SHAPES:
        rows = defaultdict(list)
        for _ in range(given.repeat):
            for name, us in costs(venues, depth).items():
                rows[name].append({"us": us})
        made[venues * depth] = {name: medians(of)["us"] for name, of in rows.items()}
    head = ["levels a side", *made[60]]
    print_table(
        "An answer, in µs of the processor", head, [[n, *of.values()] for n, of in made.items()]
    )
    streams = stream(given.seconds, given.repeat, given.rate, apart=given.apart)
    title = f"From a venue's send to a bot, {given.rate:g}/s at each of two venues, in ms"
    head = ["", *streams["in turns"]]
    print_table(title, head, [[name, *of.values()] for name, of in streams.items()])
    save("executable", {"costs": made, "streams": streams})


if __name__ == "__main__":
    main()
