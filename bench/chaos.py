"""Whether any bot ever gets a wrong book, whatever goes wrong: real processes, real faults.

    python bench/chaos.py --minutes 30 --rate 5000 --seed 7     or: make chaos ARGS="…"

Runs simulated venues, four listeners, two aggregators, two gateways and two processes of bots on
loopback; --together, two processes of three listeners, an aggregator and a gateway each, as
`dragonfly up` runs them. What joins processes goes through proxies (`tests/proxy.py`). On a seeded
schedule processes are killed, frozen and stopped, links are cut, slowed and held, venues misbehave.
Afterwards the oracle judges all that each bot received. A run that fails keeps its folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import click
import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chaos_report import Done, Timings, as_json, table
from dragonfly_client import ClientError, DragonflyClient
from oracle import Excuse, Rules, Run, Truth, judge_folder, read_run
from proxy import Proxy
from system import VENUES, Process, System, eventually, live_venues

GATEWAYS: Final = ("gateway-1", "gateway-2")
BOTS: Final = ("bots-1", "bots-2")
READERS: Final = 1

SETTLE_S: Final = 3.0
WHOLE_WITHIN_S: Final = 60.0
ENDS_WITHIN_S: Final = 30.0
SILENT_S: Final = 3.0
"""A venue's open connection on which nothing comes is given up after so long."""
PROCESS_FAULTS: Final = ("kill", "term", "stop")
LINK_FAULTS: Final = ("latency", "slicer", "bandwidth", "blackhole", "reset", "refuse")
MOMENTS: Final = ("close", "reset")
ONE_FRAME: Final = ("malformed", "gap", "duplicate", "reorder", "bad_checksum", "crossed")
STATES: Final = (
    *("announced_close", "silence", "mute", "not_accepting", "unknown_symbol"),
    *("rest_429", "rest_slow"),
)
UNKNOWABLE: Final = ("mute", "unknown_symbol", "malformed", "gap", "reorder", "bad_checksum")
"""While one of these lasts, no book comes and the connection is alive."""
SECONDS: Final = (0.3, 1.0, 2.0, 8.0)
LATENCY_S: Final = 0.2
SLOW_BYTES_PER_S: Final = 20_000.0
BURST: Final = 50


class Planned(NamedTuple):
    """A fault to come; `target` is a process, "consumer<publisher", or a venue."""

    at_s: float
    kind: str
    target: str
    seconds: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.at_s:7.1f}  {self.kind} {self.target}{lasting}"


class Cast(NamedTuple):
    """Which processes there are beside simulator, gateways and bots."""

    listeners: Mapping[str, str]
    """By name, the venue."""
    aggregators: Sequence[str]

    @property
    def harmed(self) -> Sequence[str]:
        return (*self.listeners, *self.aggregators, *GATEWAYS, "bots-2")

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield (consumer, publisher) of everything that is joined."""
        for listener, venue in self.listeners.items():
            yield listener, venue
            yield from ((aggregator, listener) for aggregator in self.aggregators)
            yield from ((listener, peer) for peer in self.replicas(listener) if peer != listener)
        yield from permutations(self.aggregators, 2)
        for gateway in GATEWAYS:
            # A gateway without aggregators has all services in its process.
            yield from ((gateway, publisher) for publisher in self.aggregators or VENUES)
            yield from ((bots, gateway) for bots in BOTS)

    def replicas(self, listener: str) -> Sequence[str]:
        """Return all listeners of a listener's venue."""
        return [name for name, venue in self.listeners.items() if venue == self.listeners[listener]]


APART: Final = Cast(
    {
        "listener-binance-1": "binance",
        "listener-binance-2": "binance",
        "listener-bitstamp-1": "bitstamp",
        "listener-kraken-1": "kraken",
    },
    ("aggregator-1", "aggregator-2"),
)
TOGETHER: Final = Cast({}, ())


def deck(chance: random.Random, cast: Cast) -> list[tuple[str, str, float]]:
    """Return (kind, target, seconds) of each fault there is, once."""

    def some_s() -> float:
        return chance.choice(SECONDS)

    joined = sorted(cast.links())
    cards = [(kind, name, some_s()) for name in cast.harmed for kind in PROCESS_FAULTS]
    for kind in LINK_FAULTS:
        for consumer, publisher in chance.sample(joined, 3):
            cards.append((kind, f"{consumer}<{publisher}", 0.0 if kind == "reset" else some_s()))
    cards += [("partition", name, some_s()) for name in chance.sample(cast.harmed[:-1], 2)]
    for kind in (*MOMENTS, *ONE_FRAME):
        cards.append((f"venue {kind}", chance.choice(VENUES), 0.0))
    for kind in (*ONE_FRAME, *STATES):
        cards.append((f"venue {kind}", chance.choice(VENUES), some_s()))
    cards.append(("burst", "all", 0.0))
    chance.shuffle(cards)
    return cards


def schedule(
    seed: int, seconds: float, every_s: float, kinds: Sequence[str], cast: Cast
) -> list[Planned]:
    """Return all faults of a run; of `kinds` only, if there are any."""
    chance = random.Random(seed)
    plan: list[Planned] = []
    at_s = 0.0
    while True:
        for kind, target, lasts_s in deck(chance, cast):
            if kinds and kind not in kinds:
                continue
            at_s += chance.uniform(0.5, 1.5) * every_s
            if at_s + lasts_s > seconds:
                return plan
            plan.append(Planned(round(at_s, 1), kind, target, lasts_s))
        if not plan:
            raise click.UsageError(f"no fault is of the kinds {', '.join(kinds)}")


class Bots(Process):
    """A running `soak_bots.py`."""

    program = (str(Path(__file__).with_name("soak_bots.py")),)


class Joined(System):
    """The processes, and the proxies between them."""

    start_within_s = 120.0

    def __init__(self, folder: Path, instruments: Sequence[str], seed: int, cast: Cast) -> None:
        super().__init__(folder)
        self.cast = cast
        self.instruments = instruments
        self.books = folder / "books"
        self.books.mkdir()
        self.proxies = {pair: Proxy(seed=seed) for pair in cast.links()}
        self.gateways: dict[str, str] = {}
        self._locks = {name: asyncio.Lock() for name in (*cast.harmed, *BOTS)}

    def lock(self, name: str) -> asyncio.Lock:
        """Return what lets only one fault befall a process at a time."""
        return self._locks[name]

    async def start_joined(self, rate: float) -> None:
        """Start all; `rate` is updates a second of all venues together."""
        moving = [f"--instrument={name}" for name in self.instruments]
        each = rate / len(VENUES) / len(self.instruments)
        await self.start_simulator(f"--rate={each:g}", *moving)
        for (_, publisher), proxy in self.proxies.items():
            if publisher in VENUES:
                proxy.target = ("127.0.0.1", urlsplit(self.urls(publisher)["ws"]).port or 0)
            elif publisher not in GATEWAYS:
                proxy.target = Path(self.folder / f"{publisher}.ipc")
        for names in (self.cast.listeners, self.cast.aggregators, GATEWAYS):
            await asyncio.gather(*map(self.start_one, names))
        await self.whole()
        await asyncio.gather(*map(self.start_one, BOTS))

    async def start_one(self, name: str) -> None:
        """Start a process, or start it again."""
        if name in BOTS:
            addresses = ",".join(f"127.0.0.1:{self.proxies[name, g].port}" for g in GATEWAYS)
            arguments = (str(self.books), addresses, str(READERS), *self.instruments)
            self.processes[name] = Bots(name, arguments, self.folder / f"{name}.log")
            await self.processes[name].event("ready", within_s=self.start_within_s)
        elif name in GATEWAYS:
            facts = await self._ready(name, self._gateway(name))
            self.gateways[name] = str(facts["address"])
            host, _, port = self.gateways[name].rpartition(":")
            for bots in BOTS:
                self.proxies[bots, name].target = (host, int(port))
        elif name in self.cast.aggregators:
            bind = f"--bind={self.address(name)}"
            peers = self._peers(name, self.cast.aggregators)
            upstreams = self._upstreams(name, self.cast.listeners)
            await self._ready(name, ("aggregator", bind, *peers, *upstreams))
        else:
            venue = self.cast.listeners[name]
            peers = self._peers(name, self.cast.replicas(name))
            options = ("--redundancy=2", *peers)
            await self._ready(
                name, self._listener(venue, self.address(name), options, self._proxied(name, venue))
            )

    async def whole(self) -> None:
        """Wait until every gateway has every instrument with all venues live."""
        for address in self.gateways.values():
            async with DragonflyClient(address) as client:

                async def is_whole(client: DragonflyClient = client) -> bool:
                    try:
                        books = [await client.get_book(name) for name in self.instruments]
                    except ClientError:
                        return False
                    return all(live_venues(book) == set(VENUES) for book in books)

                await eventually(is_whole, within_s=WHOLE_WITHIN_S, what="all venues are live")

    async def control(self, path: str, **query: object) -> None:
        """Tell the simulator to do something."""
        await asyncio.to_thread(self._control, f"{path}?{urlencode(query)}")

    def links_of(self, name: str) -> list[Proxy]:
        return [proxy for pair, proxy in self.proxies.items() if name in pair]

    def _gateway(self, name: str) -> Sequence[str]:
        bind = f"--bind={self.gateways.get(name, '127.0.0.1:0')}"
        if self.cast.aggregators:
            return ("gateway", bind, *self._upstreams(name, self.cast.aggregators))
        return self.together(VENUES, bind=bind, urls=partial(self._proxied, name))

    def _proxied(self, consumer: str, venue: str) -> dict[str, str]:
        port = self.proxies[consumer, venue].port
        return {kind: _at_port(url, port) for kind, url in self.urls(venue).items()}

    def _upstreams(self, consumer: str, publishers: Iterable[str]) -> list[str]:
        ports = [self.proxies[consumer, publisher].port for publisher in publishers]
        return [f"--upstream=tcp://127.0.0.1:{port}" for port in ports]

    def _peers(self, name: str, replicas: Sequence[str]) -> list[str]:
        if len(replicas) == 1:
            return []
        others = [self.proxies[name, other].port for other in replicas if other != name]
        addresses = [self.address(name), *(f"tcp://127.0.0.1:{port}" for port in others)]
        return [f"--peer={address}" for address in addresses]


def _at_port(url: str, port: int) -> str:
    return urlsplit(url)._replace(netloc=f"127.0.0.1:{port}").geturl()


def role(target: str) -> str:
    """Return what `target` is, without its name: "aggregator", "venue>listener"."""
    consumer, _, publisher = target.partition("<")
    if publisher:
        return f"{role(publisher)}>{role(consumer)}"
    return "venue" if target in VENUES else target.partition("-")[0]


class Chaos:
    """One run: what it does, and what came of it."""

    def __init__(self, system: Joined) -> None:
        self.system = system
        self.done: list[Done] = []
        self.excuses: list[Excuse] = []
        self.problems: list[str] = []
        self._began = time.monotonic()

    async def run(self, plan: Sequence[Planned], seconds: float) -> None:
        """Inflict what is planned, in its time, and wait until all is healed."""
        self._began = time.monotonic()
        saying = asyncio.create_task(self._say(seconds, len(plan)))
        try:
            async with asyncio.TaskGroup() as tasks:
                for planned in plan:
                    await asyncio.sleep(self._began + planned.at_s - time.monotonic())
                    tasks.create_task(self._inflict(planned))
                await asyncio.sleep(max(0.0, self._began + seconds - time.monotonic()))
            try:
                await self.system.whole()
            except AssertionError as error:
                self.problems.append(f"after the last fault: {error}")
            await asyncio.sleep(SETTLE_S)
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def _inflict(self, planned: Planned) -> None:
        kind, target, seconds = planned.kind, planned.target, planned.seconds
        done = Done(kind, target, role(target), seconds)
        act: Callable[[Done], Awaitable[None]]
        if kind == "burst":
            act = self._burst
        elif kind == "partition":
            act = self._partition
        elif kind.startswith("venue "):
            act = self._harm_venue
        elif "<" in target:
            act = self._harm_link
        else:
            act = self._harm_process
        try:
            await act(done)
        except AssertionError as error:
            self.problems.append(f"after {planned}: {error}")
        done.healed = done.healed or time.time_ns()
        done.ready = done.ready or done.healed
        self.done.append(done)

    async def _harm_process(self, done: Done) -> None:
        name = done.target
        async with self.system.lock(name):
            self._suffer(done, name)
            process = self.system.processes[name]
            if not process.running:
                self.problems.append(f"{name} ended by itself before {done.what}")
                await self.system.start_one(name)
                return
            done.start = time.time_ns()
            if done.kind == "stop":
                process.signal(signal.SIGSTOP)
                await asyncio.sleep(done.seconds)
                process.signal(signal.SIGCONT)
                if name in BOTS:
                    self._excuse(done, bots=f" {process.pid}", end=time.time_ns() + 1_000_000_000)
                return
            if name in BOTS:
                self._excuse(done, bots=f" {process.pid}", end=2**63 - 1)
            if done.kind == "kill":
                process.kill()
            else:
                process.signal(signal.SIGTERM)
                code = await process.ended(within_s=ENDS_WITHIN_S)
                if code != 0:
                    self.problems.append(f"{name} ended with {code} when asked to stop")
            await asyncio.sleep(done.seconds)
            done.healed = time.time_ns()
            await self.system.start_one(name)
            done.ready = time.time_ns()

    async def _harm_link(self, done: Done) -> None:
        consumer, publisher = done.target.split("<")
        proxy = self.system.proxies[consumer, publisher]
        if publisher in VENUES and done.kind == "blackhole":
            self._excuse(done, venue=publisher, seconds=SILENT_S)
        self._suffer(done, publisher, consumer)
        done.start = time.time_ns()
        if done.kind == "latency":
            proxy.latency_s += LATENCY_S
            await asyncio.sleep(done.seconds)
            proxy.latency_s = max(0.0, proxy.latency_s - LATENCY_S)
        elif done.kind == "bandwidth":
            proxy.bytes_per_s = SLOW_BYTES_PER_S
            await asyncio.sleep(done.seconds)
            proxy.bytes_per_s = None
            self._excuse_slow(done, consumer, publisher)
        elif done.kind == "slicer":
            proxy.slicing = True
            await asyncio.sleep(done.seconds)
            proxy.slicing = False
        elif done.kind == "blackhole":
            await self._hold([proxy], done.seconds)
        elif done.kind == "reset":
            proxy.reset()
        else:
            proxy.refusing = True
            proxy.reset()
            await asyncio.sleep(done.seconds)
            proxy.refusing = False

    def _excuse_slow(self, done: Done, consumer: str, publisher: str) -> None:
        if publisher in VENUES:
            self._excuse(done, venue=publisher, seconds=SILENT_S)
        elif publisher in GATEWAYS:
            # It acknowledges nothing: what is on its way to it is as long as the line allows.
            pid = self.system.processes[consumer].pid
            end = time.time_ns() + int(SILENT_S * 1e9)
            self._excuse(done, bots=f"unacknowledged {publisher[-1]} {pid}", end=end)

    async def _partition(self, done: Done) -> None:
        name = done.target
        if name in self.system.cast.listeners:
            self._excuse(done, venue=self.system.cast.listeners[name], seconds=SILENT_S)
        self._suffer(done, name)
        done.start = time.time_ns()
        await self._hold(self.system.links_of(name), done.seconds)

    async def _hold(self, proxies: Sequence[Proxy], seconds: float) -> None:
        free = [proxy for proxy in proxies if not proxy.held]
        for proxy in free:
            proxy.hold()
        await asyncio.sleep(seconds)
        for proxy in free:
            proxy.resume()

    async def _harm_venue(self, done: Done) -> None:
        kind = done.kind.removeprefix("venue ")
        query = {"venue": done.target, "kind": kind}
        if kind == "unknown_symbol":
            query["instrument"] = self.system.instruments[-1]
        done.venues = [done.target]
        done.start = time.time_ns()
        if done.seconds:
            await self.system.control("/fault", **query, seconds=done.seconds)
            if kind in UNKNOWABLE:
                end = time.time_ns() + int(done.seconds * 1e9)
                self._excuse(done, venue=done.target, end=end)
            elif kind == "silence":
                self._excuse(done, venue=done.target, seconds=SILENT_S)
            await asyncio.sleep(done.seconds)
        else:
            await self.system.control("/fault", **query)

    async def _burst(self, done: Done) -> None:
        done.venues = VENUES
        done.start = time.time_ns()
        await self.system.control("/step", count=BURST)

    def _suffer(self, done: Done, name: str, consumer: str = "") -> None:
        """Note which venues, at which bots, a fault of `name` may be seen in."""
        cast = self.system.cast
        if name in cast.listeners or name in VENUES:
            done.venues = [cast.listeners.get(name, name)]
        else:
            done.venues = VENUES
        if name in GATEWAYS:
            done.bots = f" {name[-1]} "
        if name in BOTS:
            done.bots = f" {self.system.processes[name].pid}"
        if consumer in GATEWAYS:
            done.bots = f" {consumer[-1]} "
        if consumer in BOTS:
            done.bots = f" {name[-1]} {self.system.processes[consumer].pid}"
        dead = done.kind in {"kill", "stop", "partition"} and done.seconds >= 1.0
        done.silences = dead and (name in cast.listeners or name in cast.aggregators)

    def _excuse(
        self,
        done: Done,
        *,
        venue: str | None = None,
        bots: str = "",
        seconds: float = 0.0,
        end: int = 0,
    ) -> None:
        start = done.start or time.time_ns()
        self.excuses.append(Excuse(start, end or start + int(seconds * 1e9), venue, bots))

    async def _say(self, seconds: float, planned: int) -> None:
        while True:
            now = time.monotonic() - self._began
            size = sum(file.stat().st_size for file in self.system.books.glob("*s"))
            last = self.done[-1] if self.done else None
            _show(
                f"{_clock(now)} of {_clock(seconds)} · {len(self.done)} of {planned} faults"
                f" · {size / 1e6:.0f} MB received · load {os.getloadavg()[0]:.1f}"
                f" · {f'last: {last.kind} {last.target}' if last else ''}"
            )
            await asyncio.sleep(1.0 if sys.stderr.isatty() else 15.0)


def _show(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr)
    else:
        print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{int(seconds % 60):02}"


async def cause(
    folder: Path, plan: Sequence[Planned], options: Options, instruments: Sequence[str]
) -> tuple[Chaos, dict[str, object]]:
    """Run the system through `plan`; return what came of it."""
    async with AsyncExitStack() as stack:
        system = stack.enter_context(Joined(folder, instruments, options.seed, options.cast))
        for proxy in system.proxies.values():
            await stack.enter_async_context(proxy.serving())
        chaos = Chaos(system)
        run = Run(options.seed, options.command, Rules(options.fresh_s), 0, whole=False)
        load = os.getloadavg()[0]
        began = time.time_ns()
        try:
            await system.start_joined(options.rate)
            await asyncio.sleep(SETTLE_S)
            await chaos.run(plan, options.seconds)
            run.whole = True
        finally:
            run.ended = time.time_ns()
            run.rules = Rules(
                options.fresh_s, tuple(sorted(chaos.excuses, key=lambda one: one.start))
            )
            run.faults = [msgspec.to_builtins(fault) for fault in chaos.done]
            (folder / "run.json").write_bytes(msgspec.json.encode(run))
            for name in BOTS:
                if name in system.processes and system.processes[name].running:
                    system.processes[name].signal(signal.SIGTERM)
                    with suppress(AssertionError):
                        await system.processes[name].ended(within_s=ENDS_WITHIN_S)
        facts = {
            "command": options.command,
            "load_average": [load, os.getloadavg()[0]],
            "seconds": (run.ended - began) / 1e9,
        }
        return chaos, facts


class Options(NamedTuple):
    """What was asked for."""

    seconds: float
    rate: float
    seed: int
    fresh_s: float
    cast: Cast
    command: str


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--minutes", default=2.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option("--rate", default=1000.0, show_default=True, help="Updates a second in all.")
@click.option("--seed", default=1, show_default=True, help="Of the schedule.")
@click.option(
    "--every", "every_s", default=2.0, show_default=True, help="Seconds from fault to fault."
)
@click.option("--instruments", default=10, show_default=True, type=click.IntRange(1, 60))
@click.option("--together", is_flag=True, help="All services of each gateway in its process.")
@click.option("--kind", "kinds", multiple=True, help="Faults of this kind only; may be repeated.")
@click.option(
    "--fresh",
    "fresh_s",
    default=3.0,
    show_default=True,
    help="Seconds after which a state that its venue has left makes a book wrong.",
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write all figures here."
)
@click.option("--keep", is_flag=True, help="Keep the folder also of a run that holds.")
def main(
    minutes: float,
    rate: float,
    seed: int,
    every_s: float,
    instruments: int,
    together: bool,
    kinds: tuple[str, ...],
    fresh_s: float,
    json_file: Path | None,
    keep: bool,
) -> None:
    cast = TOGETHER if together else APART
    plan = schedule(seed, minutes * 60, every_s, kinds, cast)
    command = f"python bench/chaos.py {shlex.join(sys.argv[1:])}"
    print(f"seed {seed}, {len(plan)} faults:", *plan, sep="\n", flush=True)
    options = Options(minutes * 60, rate, seed, fresh_s, cast, command)
    names = ["ETH-BTC", "BTC-USD", *(f"COIN{number}-USD" for number in range(instruments - 2))]
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    chaos, facts = uvloop.run(cause(folder, plan, options, names[:instruments]))
    _show("judging\n")
    truth = Truth.from_file(folder / "truth.ndjson")
    states = sum(truth.count(venue, name) for venue in VENUES for name in names)
    facts["messages_per_s"] = states / float(str(facts["seconds"]))
    timings = Timings(chaos.done, truth, read_run(folder).rules)
    verdict = judge_folder(folder, timings.observe)
    figures = as_json(timings, verdict, facts, chaos.problems)
    print(table(figures))
    if json_file:
        json_file.write_text(json.dumps(figures, indent=1))
    for problem in chaos.problems:
        print(problem, file=sys.stderr)
    for violation in verdict.violations[:1]:
        print(violation, file=sys.stderr)
    failed = bool(chaos.problems or verdict.violations or not verdict.judged)
    if failed or keep:
        print(
            f"all of it is in {folder}\njudge it again: python tests/oracle.py {folder}\n"
            f"run it again:   {command}",
            file=sys.stderr,
        )
    else:
        shutil.rmtree(folder)
    sys.exit(failed)


if __name__ == "__main__":
    main()
