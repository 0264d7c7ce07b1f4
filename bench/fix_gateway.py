"""What a book costs the FIX gateway for each customer, beside the gateway of gRPC.

    python bench/fix_gateway.py [--seconds S] [--repeat N]

Both gateways, each a process between a publisher in the place of an aggregator and readers, each on
a connection of its own: bots on bare grpc.aio, and customers that are sent whole books (W) or
differences (X), who count messages and decode none. They take turns, S seconds each (default 4), N
times (default 3); medians are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from book_bots import Seen
from dragonfly_common.topics import ViewKind, view_topic
from fix_customers import Customer
from measuring import START_WITHIN_S, Worker, medians, print_table, save
from serving import Load, Served, serve_gateway, views
from speakers import Speaker, run_speakers
from system import System
from venue_sender import INSTRUMENT

LOADS: Final = (Load(1, 200), Load(50, 40), Load(200, 10))
WAYS: Final = {"W": b"0", "X": b"1"}
"""MDUpdateType (265) by what is sent."""


def run_customers(update_type: bytes, pipe: Connection, address: str, instrument: str) -> None:
    """Do for FIX what `book_bots.run_bots` does for gRPC."""
    asyncio.run(_run(update_type, pipe, address, instrument))


async def _run(update_type: bytes, pipe: Connection, address: str, instrument: str) -> None:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    customers: list[Customer] = []
    with suppress(EOFError):  # the benchmark has ended
        while True:
            match await asyncio.to_thread(pipe.recv):
                case ("read", int(number)):
                    for _ in range(number):
                        _, customer = await loop.create_connection(
                            lambda: Customer(instrument, update_type), host, int(port)
                        )
                        customers.append(customer)
                        # Few may be there that have not logged on.
                        async with asyncio.timeout(30):
                            await customer.first.wait()
                    pipe.send("reading")
                case ("forget",):
                    for customer in customers:
                        customer.books = customer.bytes = 0
                    pipe.send("forgotten")
                case ("judge", _):
                    seen = Seen(bots=len(customers))
                    for customer in customers:
                        seen.books += customer.books
                        seen.bytes += customer.bytes
                        customer.transport.abort()
                    customers = []
                    pipe.send(seen)


def serve_fix(
    stack: ExitStack,
    bodies: Sequence[bytes],
    update_type: bytes,
) -> Served:
    """Start a FIX gateway and its publisher."""
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
    address = asyncio.run(system.start_fix_gateway(f"--instrument={INSTRUMENT}"))
    customers: Callable[[Connection, str, str], None] = partial(run_customers, update_type)
    pid = system.processes["fix-gateway"].pid
    return Served(pid, address, saying, stack, customers)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a customer costs the FIX gateway.")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    bodies = views()
    found = defaultdict(list)
    with ExitStack() as stack:
        servers = {"gRPC": serve_gateway(stack, bodies)}
        servers |= {way: serve_fix(stack, bodies, kind) for way, kind in WAYS.items()}
        for _ in range(given.repeat):
            for load in LOADS:
                figures: dict[str, float] = {}
                for name, server in servers.items():
                    figures[f"{name} µs"], figures[f"{name}/s"] = server.measure(
                        load, given.seconds
                    )
                figures["W/gRPC"] = figures["W µs"] / figures["gRPC µs"]
                found[load].append(figures)
    rows = {load: medians(figures) for load, figures in found.items()}
    print_table(
        "A FIX gateway: CPU µs for each book that a customer got, beside the gateway of gRPC",
        ["readers", "asked/s", *next(iter(rows.values()))],
        [[*load, *figures.values()] for load, figures in rows.items()],
    )
    save("fix_gateway", {"rows": [load._asdict() | f for load, f in rows.items()]})


if __name__ == "__main__":
    main()
