"""From a venue's socket to a bot: latency, its parts, what arrives, and what it costs.

    python bench/end_to_end.py [--seconds S] [--repeat N] [--load RATE:BOTS]... [--plain]
                               [--floors] [--apart] [--keep-awake] [--beside PYTHON]
                               [--peer COMMAND]

Runs the system's services on loopback, in one process as `dragonfly up` does, between venues that
send ready frames and bots on bare grpc.aio, each apart. A load is the frames a second at each of
two venues, every one of which changes its best bid, and the number of bots, which two processes
share. The loads take turns, N times (default 3), each for S seconds (default 6) after one second
that does not count; medians of the repetitions are printed. Timed is a frame whose venue has the
best bid of the book. "arrived" is the share of all frames that a bot saw in a book; what is
replaced before it is sent never does. "others'" is what else kept the cores busy: the figures are
as good as that is small. Venues speak TLS unless --plain.

--apart measures the same with a process for each service, --keep-awake with cores that do not
sleep, where loads are low enough for them to. --floors measures beside each load what the bare
libraries take for each hop, and how many times the sum of them (a WebSocket, two ZeroMQ, a gRPC)
the system takes. --beside measures a second system that the given Python has installed, --peer one
of any make that serves `orderbook.OrderbookAggregator` of protos/orderbook.proto:

    --peer "my-books --port {port} --ca {ca_file} --binance 127.0.0.1:{binance} \
            --bitstamp 127.0.0.1:{bitstamp}"

is run with the numbers of ports, as one process. Its books name no sequences: a frame is told by
its best bid, of which the latest sending counts, so that latencies beyond some hundred frames do
not show. All take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from book_bots import HOPS, Seen, run_bots
from floors import Floors
from measuring import (
    DRAINED_S,
    START_WITHIN_S,
    Usage,
    WholeUsage,
    Worker,
    medians,
    print_table,
    quantile,
    save,
    say_machine,
)
from supervisor.awake import awake
from system import System
from venue_sender import INSTRUMENT, Sent, run_sender

VENUES: Final = ("binance", "bitstamp")
BUS_BYTES: Final = 500
"""Of a book of ten levels on the bus."""
WARM_UP_S: Final = 1.0
BOT_PROCESSES: Final = 2
"""Many bots share so many; a single one has its own."""
SLEEPY_RATE: Final = 200
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


class Load(NamedTuple):
    """Frames a second at each venue, and how many bots follow."""

    rate: float
    bots: int

    @property
    def lets_cores_sleep(self) -> bool:
        return self.rate <= SLEEPY_RATE and self.bots == 1

    def __str__(self) -> str:
        return f"{self.rate:g}/s per venue, {self.bots} bot{'s' * (self.bots > 1)}"


LOADS: Final = (
    Load(20, 1),
    Load(200, 1),
    Load(1000, 1),
    Load(5000, 1),
    Load(100, 20),
    Load(100, 100),
)


class EndToEnd:
    """The whole system between its venues and bots."""

    def __init__(
        self,
        *,
        tls: bool,
        python: str = sys.executable,
        apart: bool = False,
        keep_awake: bool = False,
        peer: str | None = None,
    ) -> None:
        """`python` has the system installed; `apart`, each service is a process of its own.

        With `keep_awake` no core sleeps while it is measured. `peer` is the command of another.
        """
        self._tls = tls
        self._python = python
        self._apart = apart
        self._peer = peer
        self._restless: subprocess.Popen[bytes] | None = None
        """A peer, which may not rest while others are measured: it stands still then."""
        self.keep_awake = keep_awake

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            ca_file = self.folder / "ca.pem" if self._tls else None
            self.sender = stack.enter_context(Worker(run_sender, VENUES, (INSTRUMENT,), ca_file))
            self.urls = self.sender.answer()
            if self._peer is None:
                address = asyncio.run(self._start(stack, ca_file))
            else:
                address = self._start_peer(self._peer, stack, ca_file)
            self.address = address
            self._bots = [
                stack.enter_context(Worker(run_bots, address, INSTRUMENT))
                for _ in range(BOT_PROCESSES)
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    async def _start(self, stack: ExitStack, ca_file: Path | None) -> str:
        """Start the system and return the gateway's address."""
        system = stack.enter_context(System(self.folder, python=self._python))
        system.start_within_s = START_WITHIN_S
        system.simulated = {"venues": self.urls}
        trust = [f"--ca-file={ca_file}"] if ca_file else []
        always = f"--instrument={INSTRUMENT}"
        if not self._apart:
            await system.start_together(VENUES, listener=trust, gateway=[always])
        else:
            await asyncio.gather(
                *(system.start_listener(venue, *trust) for venue in VENUES),
                system.start_aggregator(venues=VENUES),
                system.start_gateway(always),
            )
        await system.listed(VENUES)
        self._pids = {name: one.pid for name, one in system.processes.items()}
        return system.gateway_address

    def _start_peer(self, command: str, stack: ExitStack, ca_file: Path | None) -> str:
        """Start a system of another make and return its address."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        venues = {venue: urlsplit(self.urls[venue]["ws"]).port for venue in VENUES}
        words = [word.format(port=port, ca_file=ca_file, **venues) for word in shlex.split(command)]
        process = stack.enter_context(subprocess.Popen(words))
        stack.callback(process.kill)
        deadline = time.monotonic() + START_WITHIN_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command!r} does not answer at port {port}")
            time.sleep(0.05)
        self._pids = {"peer": process.pid}
        self._restless = process
        process.send_signal(signal.SIGSTOP)
        return f"127.0.0.1:{port}"

    def measure(self, load: Load, seconds: float) -> dict[str, float]:
        """Return the figures of one load; times in ms."""
        if self._restless:
            self._restless.send_signal(signal.SIGCONT)
        try:
            return self._measure(load, seconds)
        finally:
            if self._restless:
                self._restless.send_signal(signal.SIGSTOP)

    def _measure(self, load: Load, seconds: float) -> dict[str, float]:
        bots = self._bots[: 1 if load.bots == 1 else BOT_PROCESSES]
        for number, bot in enumerate(bots):
            bot.tell("read", load.bots // len(bots) + (number < load.bots % len(bots)))
        self.sender.ask("send", load.rate, WARM_UP_S)  # some have no book before there is news
        for bot in bots:
            bot.answer()
        self.sender.ask("send", load.rate, WARM_UP_S)
        ours = Usage(self._pids)
        theirs = Usage({str(bot.pid): bot.pid for bot in bots} | {"sender": self.sender.pid})
        whole = WholeUsage()
        sent: dict[str, Sent] = self.sender.ask("send", load.rate, seconds)
        used, used_by_them, others = ours.cores(), theirs.cores(), whole.cores()
        time.sleep(DRAINED_S)
        for bot in bots:
            bot.tell("judge", sent)
        figures = _figures([bot.answer() for bot in bots], sent)
        kernel = used.pop("kernel")
        figures["cores"] = sum(used.values())
        figures["kernel"] = kernel / figures["cores"]
        figures["venues' cores"] = used_by_them.pop("sender")
        del used_by_them["kernel"]
        figures["bots' cores"] = sum(used_by_them.values())
        figures["others' cores"] = others - sum(
            figures[name] for name in ("cores", "venues' cores", "bots' cores")
        )
        return figures | {f"cores of {name}": cores for name, cores in used.items()}


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _figures(seen: Sequence[Seen], sent: Mapping[str, Sent]) -> dict[str, float]:
    frames = sum(len(one.ns) for one in sent.values())
    bots = sum(one.bots for one in seen)
    best = sorted(ns for one in seen for ns in one.best_ns)
    figures = {name: quantile(best, share) / 1e6 for name, share in SHARES.items()}
    figures["arrived"] = sum(one.frames for one in seen) / bots / frames
    figures["timed"] = len(best) / bots / frames
    figures["bytes of a book"] = sum(one.bytes for one in seen) / sum(one.books for one in seen)
    figures["sender late ms"] = max(one.late_ns for one in sent.values()) / 1e6
    for name, hop in zip(HOPS, seen[0].hops_ns, strict=True):
        hops = sorted(hop)
        figures |= {f"{name} {q}": quantile(hops, share) / 1e6 for q, share in SHARES.items()}
    return figures


def floor_of(floors: Floors, load: Load, seconds: float, book: float) -> dict[str, float]:
    """Return what the hops of the bare libraries take, and the sum of their quantiles, in ms."""
    figures: dict[str, float] = {}
    hops = floors.measure(load.rate, seconds, BUS_BYTES, round(book))
    for name, hop in hops.items():
        hop.sort()
        figures |= {f"{name} {q}": quantile(hop, share) / 1e6 for q, share in SHARES.items()}
    for q in SHARES:
        figures[f"floor {q}"] = sum(figures[f"{name} {q}"] for name in (*hops, "ZeroMQ"))
    return figures


def run(
    loads: Sequence[Load],
    seconds: float,
    repeat: int,
    *,
    tls: bool,
    floors: bool = False,
    beside: str | None = None,
    apart: bool = False,
    keep_awake: bool = False,
    peer: str | None = None,
) -> dict[tuple[str, Load], dict[str, float]]:
    """Return the medians of each system's and load's figures."""
    kinds = {"": EndToEnd(tls=tls)}
    if apart:
        kinds["apart: "] = EndToEnd(tls=tls, apart=True)
    if keep_awake:
        kinds["kept awake: "] = EndToEnd(tls=tls, keep_awake=True)
    if beside:
        kinds["beside: "] = EndToEnd(tls=tls, python=beside)
    if peer:
        kinds["peer: "] = EndToEnd(tls=tls, peer=peer)
    found = defaultdict(list)
    with ExitStack() as stack:
        enter = stack.enter_context
        systems = {name: enter(system) for name, system in kinds.items()}
        if floors:
            ca_file = Path(enter(tempfile.TemporaryDirectory())) / "ca.pem" if tls else None
            bare = enter(Floors(VENUES, ca_file))
        for _ in range(repeat):
            for load in loads:
                floor: dict[str, float] = {}
                for name, system in systems.items():
                    if system.keep_awake and not load.lets_cores_sleep:
                        continue
                    with awake() if system.keep_awake else nullcontext():
                        figures = system.measure(load, seconds)
                    if floors:
                        floor = floor or floor_of(bare, load, seconds, figures["bytes of a book"])
                        figures |= floor
                        figures |= {f"x {q}": figures[q] / figures[f"floor {q}"] for q in SHARES}
                    found[name, load].append(figures)
    return {side: medians(figures) for side, figures in found.items()}


def show(found: Mapping[tuple[str, Load], Mapping[str, float]]) -> None:
    """Print the tables."""
    columns = {name: f"{name} ms" for name in SHARES} | {
        "arrived": "arrived",
        "cores": "our cores",
        "bots' cores": "bots'",
        "venues' cores": "venues'",
        "others' cores": "others'",
    }
    rows = [(f"{name}{load}", figures) for (name, load), figures in found.items()]
    print_table(
        "From a venue's send to a bot's receive, best bid's own venue",
        ["load", *columns.values()],
        [[name, *(figures[column] for column in columns)] for name, figures in rows],
    )
    parts: list[tuple[str, Sequence[str]]] = [("Where the time goes", HOPS)]
    if "x p50" in rows[0][1]:
        parts.append(("The bare libraries", ("WebSocket", "ZeroMQ", "gRPC", "floor")))
        print_table(
            "How many times the floor: a WebSocket, two ZeroMQ and a gRPC hop",
            ["load", *SHARES],
            [[name, *(figures[f"x {q}"] for q in SHARES)] for name, figures in rows],
        )
    for title, hops in parts:
        print_table(
            f"{title}, p50 and p99 in µs",
            ["load", *hops],
            [[name, *(_both(figures, hop) for hop in hops)] for name, figures in rows],
        )

    processes = {name: None for _, of in rows for name in of if name.startswith("cores of ")}
    print_table(
        "Cores of each process, and the kernel's share of them",
        ["load", *(name.removeprefix("cores of ") for name in processes), "kernel"],
        [
            [name, *(figures.get(column, "-") for column in (*processes, "kernel"))]
            for name, figures in rows
        ],
    )


def _both(figures: Mapping[str, float], hop: str) -> str:
    return " / ".join(f"{1e3 * figures[f'{hop} {q}']:.0f}" for q in ("p50", "p99"))


def _load(text: str) -> Load:
    rate, _, bots = text.partition(":")
    return Load(float(rate), int(bots or 1))


def main() -> None:
    parser = argparse.ArgumentParser(description="From a venue's socket to a bot.")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="venues without TLS")
    parser.add_argument("--load", type=_load, action="append", help="RATE:BOTS; may be repeated")
    parser.add_argument("--floors", action="store_true", help="the bare libraries beside each load")
    parser.add_argument("--apart", action="store_true", help="also a process for each service")
    parser.add_argument("--keep-awake", action="store_true", help="also with cores kept awake")
    parser.add_argument("--beside", metavar="PYTHON", help="a second system to take turns with")
    parser.add_argument("--peer", metavar="COMMAND", help="a system of another make, in turns")
    given = parser.parse_args()
    say_machine()
    found = run(
        given.load or LOADS,
        given.seconds,
        given.repeat,
        tls=not given.plain,
        floors=given.floors,
        beside=given.beside,
        apart=given.apart,
        keep_awake=given.keep_awake,
        peer=given.peer,
    )
    show(found)
    rows = [{"system": name, **load._asdict(), **f} for (name, load), f in found.items()]
    others = given.beside or given.peer
    save("beside" if others else "floors" if given.floors else "end_to_end", {"rows": rows})


if __name__ == "__main__":
    main()
