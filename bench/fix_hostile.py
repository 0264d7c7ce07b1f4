"""What customers of the FIX gateway notice of one that is broken or means ill.

    python bench/fix_hostile.py [--seconds S] [--repeat N] [--only stalled|flooding|guessing]

A gateway with TLS and tokens, between a publisher of 200 books a second in the place of an
aggregator and ten customers in this process, which decode each. In turns of S seconds (default 4):
in peace, then beside one that is logged on and reads nothing; one that is logged on and asks for
the list of instruments as fast as the line takes it; ten at a time that try to log on with wrong
tokens, again and again, from the customers' own address. Times are from the publisher to the end of
a customer's decoding, CPU is the gateway's. The median of N pairs of turns (default 7) counts. Who
means ill is a process of its own, on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import trustme
from dragonfly_common.bus import Publisher
from dragonfly_common.clock import SystemClock
from dragonfly_common.messages import EncodedView, Instruments
from dragonfly_common.topics import ViewKind, instruments_topic, view_topic
from dragonfly_fix.codec import encode_fields
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.tokens import hash_token
from fix_customers import Customer, Login, NotingCustomer
from measuring import Worker, medians, print_table, quantile, save, usage
from system import System
from venue_sender import INSTRUMENT

CUSTOMERS: Final = 10
RATE: Final = 200
LEVELS: Final = 10
GUESSERS: Final = 10
VENUES: Final = ("binance", "bitstamp")
LISTED: Final = 3000
"""Instruments of each venue, which the one that floods asks for."""
SETTLED_S: Final = 2.0
TURN_S: Final = 0.02
LOGINS: Final = [Login(b"bot-%d" % number, b"token-%d" % number) for number in range(CUSTOMERS + 1)]
"""Of the customers, and of one more who means ill."""


def run_publisher(pipe: Connection, address: str) -> None:
    """Publish books of two venues, whose numbers say when each was made."""
    topic = view_topic(ViewKind.BOOK, INSTRUMENT)
    with closing(Publisher(address, "aggregator", SystemClock())) as publisher:
        for venue in VENUES:
            names = tuple(f"COIN{number}-USD" for number in range(LISTED))
            publisher.publish(instruments_topic(venue), Instruments(venue, (INSTRUMENT, *names)))
        pipe.send("ready")
        began = tended = time.monotonic()
        for number in count(1):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            publisher.publish(topic, EncodedView(live=True, depth=LEVELS, body=_book(number)))
            if time.monotonic() > tended + TURN_S:
                tended = time.monotonic()
                publisher.tick()
                publisher.drain()
                if pipe.poll():
                    pipe.recv()  # raises where the benchmark has ended


def _book(number: int) -> bytes:
    now_ns = time.time_ns()
    book = pb.Book(instrument=INSTRUMENT, live=True, epoch=1, seq=number)
    for venue in VENUES:
        book.venues.add(venue=venue, state=pb.STATE_LIVE, venue_seq=now_ns, ts_recv=now_ns)
    for level in range(LEVELS):
        venue, amount = VENUES[level % 2], 1.0 + number % 1000 / 1000
        book.bids.add(venue=venue, price=100.0 - level / 100, amount=amount)
        book.asks.add(venue=venue, price=100.1 + level / 100, amount=amount)
    return book.SerializeToString()


def stay_away(pipe: Connection, address: str, ca_file: str) -> None:
    """Log on, ask for books, and read none."""
    asyncio.run(_stay_away(pipe, address, ca_file))


async def _stay_away(pipe: Connection, address: str, ca_file: str) -> None:
    customer = await _connected(address, ca_file, Customer(INSTRUMENT, login=LOGINS[-1]))
    await customer.first.wait()
    customer.transport.pause_reading()
    pipe.send("here")
    await asyncio.to_thread(pipe.recv)


def flood(pipe: Connection, address: str, ca_file: str) -> None:
    """Log on, and ask without end, reading all answers."""
    asyncio.run(_flood(pipe, address, ca_file))


async def _flood(pipe: Connection, address: str, ca_file: str) -> None:
    customer = await _connected(address, ca_file, Customer(INSTRUMENT, login=LOGINS[-1]))
    await customer.first.wait()
    pipe.send("here")
    for number in count():
        if customer.transport.get_write_buffer_size() == 0:
            for _ in range(100):
                customer.say(b"x", encode_fields([(320, b"l%d" % number), (559, b"4")]))
        await asyncio.sleep(0.001)


def guess(pipe: Connection, address: str, ca_file: str) -> None:
    """Try to log on with wrong tokens."""
    asyncio.run(_guess(pipe, address, ca_file))


async def _guess(pipe: Connection, address: str, ca_file: str) -> None:
    async def again() -> None:
        while True:
            login = Login(b"bot-0", b"wrong")
            with suppress(OSError):
                customer = await _connected(address, ca_file, Customer(INSTRUMENT, login=login))
                await customer.lost.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(GUESSERS):
            tasks.create_task(again())
        pipe.send("here")


HOSTILITIES: Final[dict[str, Callable[[Connection, str, str], None]]] = {
    "stalled": stay_away,
    "flooding": flood,
    "guessing": guess,
}


async def _connected(address: str, ca_file: str, customer: Customer) -> Customer:
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context(cafile=ca_file)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: customer, host, int(port), ssl=context)
    return customer


async def _turn(
    customers: Sequence[NotingCustomer], pid: int, seconds: float
) -> tuple[list[float], float]:
    """Return the milliseconds that each book took, and the gateway's CPU in ms a second."""
    for customer in customers:
        customer.say(b"0", b"")  # who says nothing for long is taken for dead
        customer.came.clear()
    before = usage(pid).cpu_s
    await asyncio.sleep(seconds)
    cpu = (usage(pid).cpu_s - before) / seconds * 1e3
    assert not any(customer.lost.is_set() for customer in customers)
    times = sorted((at - made) / 1e6 for one in customers for made, at in one.came.items())
    return times, cpu


@asynccontextmanager
async def _beside(kind: str, address: str, ca_file: str) -> AsyncIterator[None]:
    with Worker(HOSTILITIES[kind], address, ca_file) as worker:
        await asyncio.to_thread(worker.answer)
        yield


async def measure(
    kinds: Sequence[str], seconds: float, repeat: int
) -> dict[str, list[dict[str, float]]]:
    """Return the figures of each pair of turns, by hostility."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = _papers(folder)
        ca_file = str(folder / "ca.pem")
        system = stack.enter_context(System(folder))
        publisher = stack.enter_context(Worker(run_publisher, system.address("aggregator")))
        publisher.answer()
        address = await system.start_fix_gateway(f"--instrument={INSTRUMENT}", *options)
        pid = system.processes["fix-gateway"].pid
        customers = []
        for login in LOGINS[:CUSTOMERS]:
            customer = NotingCustomer(INSTRUMENT, login)
            await _connected(address, ca_file, customer)
            async with asyncio.timeout(30):
                await customer.first.wait()
            customers.append(customer)
        for _ in range(repeat):
            for kind in kinds:
                peace, cpu = await _turn(customers, pid, seconds)
                async with _beside(kind, address, ca_file):
                    await asyncio.sleep(SETTLED_S)
                    war, cpu_of_war = await _turn(customers, pid, seconds)
                await asyncio.sleep(SETTLED_S)
                found[kind].append(
                    {
                        "p50 ms": quantile(peace, 0.5),
                        "under it": quantile(war, 0.5),
                        "p99 ms": quantile(peace, 0.99),
                        "under it ": quantile(war, 0.99),
                        "p99 ratio": quantile(war, 0.99) / quantile(peace, 0.99),
                        "CPU ms/s": cpu,
                        "under it  ": cpu_of_war,
                        "books": len(war) / len(peace),
                    }
                )
        for customer in customers:
            customer.transport.abort()
    return found


def _papers(folder: Path) -> Sequence[str]:
    """Write certificates and tokens; return the gateway's options for them."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    bots = [
        f'[bots.{login.name.decode()}]\ntoken_sha256 = "{hash_token(login.token.decode())}"\n'
        for login in LOGINS
    ]
    (folder / "tokens.toml").write_text("\n".join(bots))
    (folder / "tokens.toml").chmod(0o600)
    files = {"tls-cert": "cert.pem", "tls-key": "key.pem", "tokens": "tokens.toml"}
    return [f"--{option}={folder / file}" for option, file in files.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="What customers notice of one that means ill.")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--only", choices=HOSTILITIES, action="append", help="may be repeated")
    given = parser.parse_args()
    kinds = given.only or [*HOSTILITIES]
    found = asyncio.run(measure(kinds, given.seconds, given.repeat))
    rows = {kind: medians(figures) for kind, figures in found.items()}
    print_table(
        f"{CUSTOMERS} customers of FIX at {RATE}/s, in peace and beside one that means ill",
        ["", *next(iter(rows.values()))],
        [[kind, *figures.values()] for kind, figures in rows.items()],
    )
    save("fix_hostile", {"customers": CUSTOMERS, "rate": RATE, "rows": rows})


if __name__ == "__main__":
    main()
