"""How old a book is when a slow bot gets it, whose library is grpcio as it comes.

    python bench/slow_readers.py [--seconds S]

A gateway, between a publisher of books of ten levels at 100 changes a second and bots that take 50
or 500 ms for each: one on a plain stream, one that says how long it takes (`min_interval_ms`), one
that acknowledges in a session with a window of 1. Each is a process of its own with a stock
channel, for S seconds (default 12). Ages are of the wall clock, from `ts_out`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any, Final

import grpc
from dragonfly_protos import market_data_pb2 as pb
from measuring import print_table, quantile, save
from serving import serve_gateway, views
from venue_sender import INSTRUMENT

RATE: Final = 100.0
TAKES_MS: Final = (50, 500)
WAYS: Final = ("plain", "min_interval_ms", "session")
LEEWAY: Final = 1.2
"""A bot that takes 50 ms for a book gives 60."""
SERVICE: Final = "/dragonfly.v1.MarketData"


def main() -> None:
    parser = argparse.ArgumentParser(description="How old a book is when a slow bot gets it.")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--read", nargs=3, metavar=("ADDRESS", "WAY", "MS"), help="be a bot")
    given = parser.parse_args()
    if given.read:
        address, way, takes_ms = given.read
        read(address, way, int(takes_ms), given.seconds)
    else:
        measure(given.seconds)


def measure(seconds: float) -> None:
    """Run all bots beside each other, and print what they saw."""
    with ExitStack() as stack:
        served = serve_gateway(stack, views())
        bots = {
            (way, takes_ms): subprocess.Popen(
                [
                    *(sys.executable, __file__, f"--seconds={seconds}", "--read"),
                    *(served.address, way, str(takes_ms)),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            for way in WAYS
            for takes_ms in TAKES_MS
        }
        served.say(RATE, seconds + 3)
        rows = []
        for (way, takes_ms), bot in bots.items():
            ages = [float(line) for line in bot.communicate()[0].split()]
            figures = [quantile(ages, 0.5), max(ages), ages[-1], len(ages)]
            rows.append([way, takes_ms, *figures])
    columns = ["way", "takes ms", "median s", "worst s", "last s", "books"]
    print_table("Age of a book when a bot of stock grpcio gets it", columns, rows)
    save("slow_readers", {"rows": [dict(zip(columns, row, strict=True)) for row in rows]})


def read(address: str, way: str, takes_ms: int, seconds: float) -> None:
    """Be a bot: print the age of each book when it is there, then work on it."""
    ends = time.monotonic() + seconds
    with grpc.insecure_channel(address) as channel:
        for book in books(channel, way, takes_ms):
            if time.monotonic() > ends:
                return
            print((time.time_ns() - book.ts_out) / 1e9)
            time.sleep(takes_ms / 1000)


def books(channel: grpc.Channel, way: str, takes_ms: int) -> Iterator[pb.Book]:
    """Yield books as they come by one of the ways."""
    if way == "session":
        yield from acknowledged(channel)
        return
    request = pb.BookRequest(instrument=INSTRUMENT)
    if way == "min_interval_ms":
        request.min_interval_ms = round(takes_ms * LEEWAY)
    stream: Any = channel.unary_stream(
        f"{SERVICE}/StreamBook", pb.BookRequest.SerializeToString, pb.Book.FromString
    )
    yield from stream(request)


def acknowledged(channel: grpc.Channel) -> Iterator[pb.Book]:
    """Yield a session's books; each is acknowledged when the bot comes back for the next."""
    requests: SimpleQueue[pb.SessionRequest] = SimpleQueue()
    requests.put(pb.SessionRequest(ack=0, window=1))
    asked = pb.Subscription(view=pb.VIEW_BOOK, instrument=INSTRUMENT)
    requests.put(pb.SessionRequest(subscribe=asked))
    session: Any = channel.stream_stream(
        f"{SERVICE}/Session",
        pb.SessionRequest.SerializeToString,
        pb.SessionUpdate.FromString,
    )
    for update in session(iter(requests.get, None)):
        yield update.book
        requests.put(pb.SessionRequest(ack=update.number))


if __name__ == "__main__":
    main()
