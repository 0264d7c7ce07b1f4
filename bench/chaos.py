"""Whether any bot ever gets a wrong book, whatever goes wrong: real processes, real faults.

    python bench/chaos.py --minutes 30 --rate 5000 --seed 7     or: make chaos ARGS="…"

Runs some simulated venues, which the seed draws, or with --venue all all that there are, a listener
of each and a second of one, two aggregators, two gateways and two processes of bots on loopback;
--together, two processes of a listener of each venue, an aggregator and a gateway, as
`dragonfly up` runs them. What joins processes goes through proxies (`tests/proxy.py`). On a seeded
schedule processes are killed, frozen and stopped, links are cut, slowed and held, venues misbehave.
Afterwards the oracle judges all that each bot received. A run that fails keeps its folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

import click
import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chaos_plan import (
    BOTS,
    GATEWAYS,
    WRONG_PROXIES,
    Cast,
    Planned,
    apart,
    draw_venues,
    role,
    schedule,
    together,
)
from chaos_report import Done, Timings, as_json, table
from chaos_system import Joined
from dragonfly_venues.registry import venue_names
from live_line import LiveLine, clock
from oracle import Excuse, Rules, Run, judge_folder, read_run
from proxy import Proxy
from truth import Truth
from venue_simulator.catalogue import RESTING
from venue_simulator.seeded import RESTING_S

ALL: Final = "all"
"""Instead of the name of a venue."""
SETTLE_S: Final = 3.0
ENDS_WITHIN_S: Final = 30.0
SILENT_S: Final = 3.0
"""A venue's open connection on which nothing comes is given up after so long."""
UNKNOWABLE: Final = ("mute", "unknown_symbol", "malformed", "gap", "reorder", "bad_checksum")
"""While one of these lasts, no book comes and the connection is alive."""
LISTS_WITHIN_S: Final = 2.0
"""Lists are read each second here, which takes a while."""
LIST_AGAIN_S: Final = 15.0
"""After a venue could not be asked for its list, the next attempt may come so much later."""
UNASKABLE: Final = ("rest_429", "rest_slow", "not_accepting", "silence")
LATENCY_S: Final = 0.2
SLOW_BYTES_PER_S: Final = 20_000.0
BURST: Final = 50
LIVE_LINE: Final = LiveLine(every_s=15.0)


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
            if done.kind != "term":
                process.kill()
            else:
                process.signal(signal.SIGTERM)
                code = await process.ended(within_s=ENDS_WITHIN_S)
                if code != 0:
                    self.problems.append(f"{name} ended with {code} when asked to stop")
            await asyncio.sleep(done.seconds)
            done.healed = time.time_ns()
            _, _, variable = done.kind.partition("proxy ")
            self.system.environments[name] = {variable: WRONG_PROXIES[variable]} if variable else {}
            await self.system.start_one(name)
            done.ready = time.time_ns()

    async def _harm_link(self, done: Done) -> None:
        consumer, publisher = done.target.split("<")
        proxy = self.system.proxies[consumer, publisher]
        if publisher in self.system.cast.venues and done.kind == "blackhole":
            self._excuse(done, venue=publisher, seconds=SILENT_S)
        self._suffer(done, publisher, consumer)
        done.start = time.time_ns()
        if publisher in self.system.cast.venues:
            self._excuse_lists(done, publisher)
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
        if publisher in self.system.cast.venues:
            self._excuse(done, venue=publisher, seconds=SILENT_S)
        elif publisher in GATEWAYS:
            # It acknowledges nothing: what is on its way to it is as long as the line allows.
            pid = self.system.processes[consumer].pid
            end = time.time_ns() + int(SILENT_S * 1e9)
            self._excuse(done, bots=f"unacknowledged {publisher[-1]} {pid}", end=end)

    async def _partition(self, done: Done) -> None:
        name = done.target
        venues = self.system.cast.heard_by(name)
        for venue in venues:
            self._excuse(done, venue=venue, seconds=SILENT_S)
        self._suffer(done, name)
        done.start = time.time_ns()
        for venue in venues:
            self._excuse_lists(done, venue)
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
        elif kind == "halt_pair":
            query |= {"kind": "halt", "instrument": self.system.instruments[0]}
        done.venues = [done.target]
        done.start = time.time_ns()
        if done.seconds:
            await self.system.control("/fault", **query, seconds=done.seconds)
            if kind in UNKNOWABLE:
                end = time.time_ns() + int(done.seconds * 1e9)
                self._excuse(done, venue=done.target, end=end)
            elif kind == "silence":
                self._excuse(done, venue=done.target, seconds=SILENT_S)
            self._excuse_resting(done)
            if kind in UNASKABLE:
                self._excuse_lists(done, done.target)
            await asyncio.sleep(done.seconds)
        else:
            await self.system.control("/fault", **query)
            self._excuse_resting(done)

    def _excuse_resting(self, done: Done) -> None:
        """Ask nothing of a market that rests until it has moved again, and shows what it is."""
        if done.kind.removeprefix("venue ") in (*UNKNOWABLE, "silence"):
            seconds = done.seconds + 2 * RESTING_S
            self._excuse(done, venue=done.target, instrument=RESTING, seconds=seconds)

    async def _burst(self, done: Done) -> None:
        done.venues = self.system.cast.venues
        done.start = time.time_ns()
        await self.system.control("/step", count=BURST)

    def _suffer(self, done: Done, name: str, consumer: str = "") -> None:
        """Note which venues, at which bots, a fault of `name` may be seen in."""
        cast = self.system.cast
        if name in cast.listeners or name in cast.venues:
            done.venues = [cast.listeners.get(name, name)]
        else:
            done.venues = cast.venues
        if name in GATEWAYS:
            done.bots = f" {name[-1]} "
        if name in BOTS:
            done.bots = f" {self.system.processes[name].pid}"
        if consumer in GATEWAYS:
            done.bots = f" {consumer[-1]} "
        if consumer in BOTS:
            done.bots = f" {name[-1]} {self.system.processes[consumer].pid}"
        killed = done.kind in {"kill", "stop", "partition"} or done.kind.startswith("proxy ")
        dead = killed and done.seconds >= 1.0
        done.silences = dead and (name in cast.listeners or name in cast.aggregators)

    def _excuse_lists(self, done: Done, venue: str) -> None:
        """Excuse who does not hear of a halt from a venue that cannot be asked."""
        end = done.start + int((done.seconds + LIST_AGAIN_S) * 1e9)
        self.excuses.append(Excuse(done.start, end, venue, of_halts=True))

    def _excuse(
        self,
        done: Done,
        *,
        venue: str | None = None,
        bots: str = "",
        instrument: str | None = None,
        seconds: float = 0.0,
        end: int = 0,
    ) -> None:
        start = done.start or time.time_ns()
        end = end or start + int(seconds * 1e9)
        self.excuses.append(Excuse(start, end, venue, bots, instrument))

    async def _say(self, seconds: float, planned: int) -> None:
        while True:
            now = time.monotonic() - self._began
            size = sum(file.stat().st_size for file in self.system.books.glob("*s"))
            last = self.done[-1] if self.done else None
            LIVE_LINE.show(
                f"{clock(now)} of {clock(seconds)} · {len(self.done)} of {planned} faults"
                f" · {size / 1e6:.0f} MB received · load {os.getloadavg()[0]:.1f}"
                f" · {f'last: {last.kind} {last.target}' if last else ''}",
                now,
            )
            await asyncio.sleep(1.0)


async def cause(
    folder: Path, plan: Sequence[Planned], options: Options, instruments: Sequence[str]
) -> tuple[Chaos, dict[str, object]]:
    """Run the system through `plan`; return what came of it."""
    async with AsyncExitStack() as stack:
        system = stack.enter_context(Joined(folder, instruments, options.seed, options.cast))
        for proxy in system.proxies.values():
            await stack.enter_async_context(proxy.serving())
        chaos = Chaos(system)
        rules = Rules(options.fresh_s, halted_within_s=options.fresh_s + LISTS_WITHIN_S)
        run = Run(options.seed, options.command, rules, 0, whole=False)
        load = os.getloadavg()[0]
        began = time.time_ns()
        try:
            await system.start_joined(options.rate)
            await asyncio.sleep(SETTLE_S)
            await chaos.run(plan, options.seconds)
            run.whole = True
        finally:
            run.ended = time.time_ns()
            excuses = tuple(sorted(chaos.excuses, key=lambda one: one.start))
            run.rules = msgspec.structs.replace(rules, excuses=excuses)
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
@click.option(
    "--together", "in_one", is_flag=True, help="All services of each gateway in its process."
)
@click.option(
    "--venue",
    "venues",
    multiple=True,
    type=click.Choice([ALL, *venue_names()]),
    help="May be repeated.  [default: some that the seed draws of all]",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="Faults of this kind only, such as kill or proxy; may be repeated.",
)
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
    in_one: bool,
    venues: tuple[str, ...],
    kinds: tuple[str, ...],
    fresh_s: float,
    json_file: Path | None,
    keep: bool,
) -> None:
    named = venue_names() if ALL in venues else venues
    cast = (together if in_one else apart)(named or draw_venues(seed))
    plan = schedule(seed, minutes * 60, every_s, kinds, cast)
    command = f"python bench/chaos.py {shlex.join(sys.argv[1:])}"
    print(
        f"seed {seed}, {', '.join(cast.venues)}, {len(plan)} faults:", *plan, sep="\n", flush=True
    )
    options = Options(minutes * 60, rate, seed, fresh_s, cast, command)
    coins = (f"COIN{number}-USD" for number in range(instruments))
    names = ["ETH-BTC", RESTING, "BTC-USD", *coins][:instruments]
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    chaos, facts = uvloop.run(cause(folder, plan, options, names))
    LIVE_LINE.end("judging")
    truth = Truth.from_file(folder / "truth.ndjson")
    states = sum(truth.count(venue, name) for venue in cast.venues for name in names)
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
