"""Fifteen venues, twenty instruments at each, and fifty bots: what one process takes for it all.

    python bench/many_venues.py [--seconds S] [--repeat N] [--rate RATE] [--beside PYTHON]

The system is one process as `dragonfly up` runs it, with a listener of each venue that has a
protocol of its own. A simulator, in a process of its own, changes each of the 300 books RATE times
a second (default 10) among its ten best levels, and sends over TLS what the listener subscribes to:
a frame of the book for each change, and at four venues one more where the best prices changed.
Bots, in two processes, are bare grpc.aio on `StreamBbo`, each on a connection of its own, which
parse all that comes: in one row each follows one instrument, in the next all twenty.

Timed is the newest change that a message names, from when it became the venue's: the simulator
makes the frame within that time, 30 to 110 µs. "conflated" are states that were replaced before
their bot could be sent them, for each that was sent. Printed are medians of N repetitions
(default 3) of S seconds (default 6). --beside takes turns with a second system, which the given
Python has installed. The process's cores are shared out among its layers by `sampling.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Self

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import grpc
import grpc.aio
import structlog
import trustme
from book_bots import HOPS
from dragonfly_protos import market_data_pb2 as pb
from measuring import (
    DRAINED_S,
    START_WITHIN_S,
    Usage,
    WholeUsage,
    Worker,
    medians,
    paced,
    print_table,
    quantile,
    save,
    say_machine,
)
from sampling import VARIABLE, Samples
from system import Process, System
from venue_simulator.book import BookState, Levels, lie
from venue_simulator.catalogue import invent
from venue_simulator.market import BookWalk
from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import Simulator, running_simulator
from venue_simulator.venues import VENUES

SAME_PRINT: Final = {"binanceus"}
"""Venues that send what another one does, byte for byte."""
NAMES: Final = tuple(name for name in VENUES if name not in SAME_PRINT)
INSTRUMENTS: Final = tuple(f"COIN{number}-USD" for number in range(20))
DEPTH: Final = 10
BOTS: Final = 50
BOT_PROCESSES: Final = 2
WARM_UP_S: Final = 1.0
LIVE_WITHIN_S: Final = 60.0

Key = tuple[str, str, int]
"""(venue, instrument, venue_seq)"""
Times = dict[Key, int]
"""When each state became the venue's, ns."""


class _Market:
    """One book, of which every state differs among the ten best levels from the one before."""

    def __init__(self, simulator: Simulator, venue: str, instrument: str) -> None:
        asset = invent(instrument, 0)
        listing = VENUES[venue].list_asset(asset)
        self._simulator = simulator
        self._where = venue, instrument
        self._walk = BookWalk(asset, listing, venue, 0)
        self._best: tuple[Levels, Levels] = ((), ())

    def move(self) -> None:
        bids, asks = self._walk.step()
        if (bids[:DEPTH], asks[:DEPTH]) == self._best:
            bids = lie(BookState(0, 0, bids, asks)).bids
        self._best = bids[:DEPTH], asks[:DEPTH]
        self._simulator.set_book(*self._where, bids, asks)


def run_venues(pipe: Connection, folder: Path) -> None:
    """Say the venues' addresses; answer `(rate, seconds)` with `Times` and the frames sent.

    Their certificate's authority goes to ca.pem in `folder`.
    """
    level = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=level)
    asyncio.run(_serve(pipe, folder))


async def _serve(pipe: Connection, folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    key = folder / "key.pem"
    key.touch(0o600)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(key)
    options = SimulatorOptions(
        venues=NAMES, instruments=INSTRUMENTS, keep_truth=True, tls_cert=key, tls_key=key, seed=0
    )
    async with running_simulator(options) as simulator:
        markets = [_Market(simulator, venue, name) for name in INSTRUMENTS for venue in NAMES]
        for market in markets:
            market.move()
        pipe.send(
            {
                name: {"ws": simulator.ws_url(name), "rest": simulator.rest_url(name)}
                for name in NAMES
            }
        )
        loop = asyncio.get_running_loop()
        while True:
            rate, seconds = await loop.run_in_executor(None, pipe.recv)
            simulator.truth.states.clear()
            before = sum(map(simulator.frames_sent, NAMES))
            for number, _ in paced(rate, seconds, len(markets)):
                markets[number].move()
                await asyncio.sleep(0)
            times = {
                (*book, state.venue_seq): state.ts_ns
                for book, states in simulator.truth.states.items()
                for state in states
            }
            pipe.send((times, sum(map(simulator.frames_sent, NAMES)) - before))


@dataclass
class Seen:
    """What some bots were told."""

    late_ns: array[int] = field(default_factory=lambda: array("q"))
    hops_ns: tuple[array[int], ...] = field(default_factory=lambda: tuple(array("q") for _ in HOPS))
    messages: int = 0
    replaced: int = 0
    """States that were not sent, because a newer one came first."""
    lost: tuple[str, ...] = ()


class _Bot:
    def __init__(self, address: str, instruments: Sequence[str]) -> None:
        self.messages: list[tuple[int, pb.Bbo]] = []
        self.live: set[str] = set()
        """The instruments of which all venues were live."""
        self.instruments = instruments
        self.lost = ""
        self._address = address

    async def read(self) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        request = pb.BboRequest(instruments=self.instruments).SerializeToString()
        async with grpc.aio.insecure_channel(self._address, options=options) as channel:
            stream = channel.unary_stream(
                "/dragonfly.v1.MarketData/StreamBbo", response_deserializer=pb.Bbo.FromString
            )
            try:
                async for bbo in stream(request):
                    self.messages.append((time.time_ns(), bbo))
                    if bbo.instrument not in self.live and all(
                        feed.state == pb.STATE_LIVE for feed in bbo.venues
                    ):
                        self.live.add(bbo.instrument)
            except grpc.aio.AioRpcError as error:
                self.lost = str(error.details())

    def judge(self, times: Times, seen: Seen) -> None:
        last: dict[str, int] = {}
        for ts_in, bbo in self.messages:
            seen.messages += 1
            seen.replaced += bbo.replaced
            sent_ns, feed = max(
                (
                    (times.get((feed.venue, bbo.instrument, feed.venue_seq), 0), feed)
                    for feed in bbo.venues
                ),
                key=lambda one: one[0],
            )
            if sent_ns <= last.get(bbo.instrument, 0):
                continue
            last[bbo.instrument] = sent_ns
            seen.late_ns.append(ts_in - sent_ns)
            stamps = (sent_ns, feed.ts_recv, feed.ts_pub, bbo.ts_agg, bbo.ts_out, ts_in)
            for hop, begin, end in zip(seen.hops_ns, stamps, stamps[1:], strict=False):
                hop.append(end - begin)


def run_bots(pipe: Connection, address: str) -> None:
    """Read best prices: `("read", instruments of each)`, `("live",)`, `("judge", times)`.

    `("forget",)` lets only what comes from then on count.
    """
    asyncio.run(_run(pipe, address))


async def _run(pipe: Connection, address: str) -> None:
    bots: list[_Bot] = []
    tasks: list[asyncio.Task[None]] = []
    while True:
        match await asyncio.to_thread(pipe.recv):
            case ("read", wanted):
                bots = [_Bot(address, instruments) for instruments in wanted]
                tasks = [asyncio.create_task(bot.read()) for bot in bots]
                pipe.send("reading")
            case ("live",):
                pipe.send(all(len(bot.live) == len(bot.instruments) for bot in bots))
            case ("forget",):
                for bot in bots:
                    bot.messages.clear()
                pipe.send("forgotten")
            case ("judge", times):
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                seen = Seen(lost=tuple(bot.lost for bot in bots if bot.lost))
                for bot in bots:
                    bot.judge(times, seen)
                bots = []
                pipe.send(seen)


class _SampledProcess(Process):
    program = (str(Path(__file__).with_name("sampling.py")),)


class _SampledSystem(System):
    process = _SampledProcess


class ManyVenues:
    """The whole system between its venues and bots."""

    def __init__(self, python: str = sys.executable) -> None:
        """`python` has the system installed."""
        self._python = python

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._sender = stack.enter_context(Worker(run_venues, folder))
            system = stack.enter_context(_SampledSystem(folder, python=self._python))
            system.start_within_s = START_WITHIN_S
            system.simulated = {"venues": self._sender.answer()}
            system.environments["together"] = {VARIABLE: str(folder / "samples")}
            asyncio.run(self._start(system, f"--ca-file={folder / 'ca.pem'}"))
            self._pid = system.processes["together"].pid
            self._samples = Samples(folder / "samples")
            self._bots = [
                stack.enter_context(Worker(run_bots, system.gateway_address))
                for _ in range(BOT_PROCESSES)
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    async def _start(self, system: System, trust: str) -> None:
        always = [f"--instrument={name}" for name in INSTRUMENTS]
        await system.start_together(NAMES, listener=[trust, *always])
        await system.listed(NAMES)

    def measure(self, followed: int, rate: float, seconds: float) -> dict[str, float]:
        """Return the figures where each bot follows so many instruments; times in ms."""
        wanted = [
            [INSTRUMENTS[(bot + n) % len(INSTRUMENTS)] for n in range(followed)]
            for bot in range(BOTS)
        ]
        for number, bots in enumerate(self._bots):
            bots.ask("read", wanted[number::BOT_PROCESSES])
        deadline = time.monotonic() + LIVE_WITHIN_S
        while not all(bots.ask("live") for bots in self._bots):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all venues are live within {LIVE_WITHIN_S:g} s")
            self._sender.ask(rate, WARM_UP_S)
        self._sender.ask(rate, WARM_UP_S)
        for bots in self._bots:
            bots.ask("forget")
        self._samples.skip()
        ours = Usage({"system": self._pid})
        theirs = Usage({str(bots.pid): bots.pid for bots in self._bots})
        venues, whole = Usage({"venues": self._sender.pid}), WholeUsage()
        began = time.monotonic()
        times, frames = self._sender.ask(rate, seconds)
        took = time.monotonic() - began
        used, shares = ours.cores(), self._samples.shares()
        bots_cores = sum(n for name, n in theirs.cores().items() if name != "kernel")
        venues_cores, all_cores = venues.cores()["venues"], whole.cores()
        time.sleep(DRAINED_S)
        for bots in self._bots:
            bots.tell("judge", times)
        seen: list[Seen] = [bots.answer() for bots in self._bots]
        if lost := {reason for one in seen for reason in one.lost}:
            raise RuntimeError(f"bots lost their streams: {', '.join(lost)}")
        late = sorted(ns for one in seen for ns in one.late_ns)
        messages = sum(one.messages for one in seen)
        figures = {
            "changes/s": len(times) / took,
            "frames/s": frames / took,
            "messages/s": messages / took,
            "conflated": sum(one.replaced for one in seen) / messages,
            "p50 ms": quantile(late, 0.5) / 1e6,
            "p99 ms": quantile(late, 0.99) / 1e6,
            "cores": used["system"],
            "µs a change": used["system"] * took / len(times) * 1e6,
            "kernel": used["kernel"] / used["system"],
            "bots'": bots_cores,
            "venues'": venues_cores,
            "others'": all_cores - bots_cores - venues_cores - used["system"],
        }
        for name, share in shares.items():
            figures[f"cores of {name}"] = share * used["system"]
        for number, name in enumerate(HOPS):
            hop = sorted(ns for one in seen for ns in one.hops_ns[number])
            figures |= {
                f"{name} p50": quantile(hop, 0.5) / 1e3,
                f"{name} p99": quantile(hop, 0.99) / 1e3,
            }
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Many venues, instruments and bots; one process.")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rate", type=float, default=10.0, help="changes a second of each book")
    parser.add_argument("--followed", type=int, action="append", help="instruments of each bot")
    parser.add_argument("--beside", metavar="PYTHON", help="a second system to take turns with")
    given = parser.parse_args()
    say_machine()
    pythons = {"": sys.executable} | ({"beside: ": given.beside} if given.beside else {})
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        systems = {n: stack.enter_context(ManyVenues(python)) for n, python in pythons.items()}
        for _ in range(given.repeat):
            for followed in given.followed or (1, len(INSTRUMENTS)):
                for name, system in systems.items():
                    figures = system.measure(followed, given.rate, given.seconds)
                    found[f"{name}{followed}"].append(figures)
    rows = {name: medians(figures) for name, figures in found.items()}
    show(rows)
    save("many_venues", {"rows": rows})


def show(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print the tables."""
    first = next(iter(rows.values()))
    layers = [name for name in first if name.startswith("cores of ")]
    columns = [name for name in first if name not in layers and not name.endswith((" p50", " p99"))]
    print_table(
        f"{len(NAMES)} venues, {len(INSTRUMENTS)} instruments, {BOTS} bots on best prices",
        ["instruments a bot", *columns],
        [[name, *(row[column] for column in columns)] for name, row in rows.items()],
    )
    print_table(
        "The process's cores, by layer",
        ["instruments a bot", *(name.removeprefix("cores of ") for name in layers)],
        [[name, *(row[column] for column in layers)] for name, row in rows.items()],
    )
    print_table(
        "Where the time goes, p50 and p99 in µs",
        ["instruments a bot", *HOPS],
        [
            [name, *(f"{row[f'{hop} p50']:.0f} / {row[f'{hop} p99']:.0f}" for hop in HOPS)]
            for name, row in rows.items()
        ],
    )


if __name__ == "__main__":
    main()
