"""Whether the system stays what it is for hours: its memory, its latency, its books.

    python bench/soak.py --minutes 60          or: make soak ARGS="--minutes 60"

Runs simulated venues, listeners, two aggregators, two gateways and two processes of bots on
loopback, with one seeded fault a minute. Half of the processes are never harmed by one, and those
are judged. Every book that a bot gets is compared with what the venues' books truly were. At the
end, or after Ctrl-C: a table, and a folder with results.json, soak.png and the processes' logs.

The files in between are temporary: what has been judged of the truth log is taken off the disk.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dragonfly_client import Book
from histories import read_history
from live_line import LiveLine, clock
from oracle import Oracle
from replicated import Replicated
from soak_report import Latency, Results, Sample, draw, table
from system import VENUES, Process
from truth import Truth
from venue_simulator.catalogue import RESTING

SAMPLE_EVERY_S: Final = 5.0
DOWN_S: Final = 2.0
FROZEN_S: Final = 2.0
INSTRUMENTS: Final = 5
"""That move, beside one that rests."""
READERS: Final = 2
REMEMBERED_S: Final = 120.0
"""A book that names an older state of a venue is wrong, whatever it says."""

REPLICAS: Final = ("listener-binance", "aggregator", "gateway", "bots")
HARMED: Final = tuple(f"{service}-2" for service in REPLICAS)
VENUE_FAULTS: Final = ("close", "reset", "silence")
LIVE_LINE: Final = LiveLine(every_s=60.0)


class Bots(Process):
    """A running `soak_bots.py`."""

    program = (str(Path(__file__).with_name("soak_bots.py")),)


class Soaked(Replicated):
    """Two of each, but one listener for each venue beside Binance."""

    start_within_s = 120.0  # the machine may be busy with other things for hours

    def __init__(self, folder: Path, instruments: Sequence[str]) -> None:
        super().__init__(folder)
        self.instruments = instruments
        self.books = folder / "books"
        self.books.mkdir()
        self._second_gateway = "127.0.0.1:0"

    async def start_soaked(self, rate: float) -> None:
        """Start all; `rate` is updates a second of all venues together."""
        each = rate / len(VENUES) / len(self.instruments)
        await self.start_all("--redundancy=2", rate=f"{each:g}", instruments=self.instruments)
        await asyncio.gather(self.add("listener-binance-2"), self.add("aggregator-2"))
        for name in ("gateway-2", "bots-1", "bots-2"):
            await self.restart(name)

    async def restart(self, name: str) -> None:
        """Start a process that ended, or one that never was."""
        if name == "gateway-2":
            bind = f"--bind={self._second_gateway}"
            facts = await self._ready(name, ("gateway", bind, *self.gateway))
            self._second_gateway = str(facts["address"])
        elif name.startswith("bots"):
            gateways = f"{self.gateway_address},{self._second_gateway}"
            arguments = (str(self.books), gateways, str(READERS), *self.instruments)
            self.processes[name] = Bots(name, arguments, self.folder / f"{name}.log")
            await self.processes[name].event("ready", within_s=self.start_within_s)
        else:
            await super().restart(name)


class Judge:
    """Compares each book with the truth, in pieces: nothing grows with the hours."""

    def __init__(self, truth_log: Path) -> None:
        self.right = 0
        self.wrong: list[str] = []
        self._truth_log = truth_log.open("rb")
        self._truth_log_name = str(truth_log)
        self._truth: deque[bytes] = deque()
        self._piece_lengths: deque[tuple[float, int]] = deque()
        self._last: dict[tuple[str, str], dict[int, Book]] = {}

    def judge(self, books: Sequence[tuple[str, Book]], now: float) -> None:
        """Judge what bots got since the last time, each bot's in its order."""
        self._read_truth(now)
        oracle = Oracle(Truth(self._truth))
        heard: dict[tuple[str, str], list[Book]] = {}
        for bot, book in books:
            heard.setdefault((bot, book.instrument), []).append(book)
        for stream, new in heard.items():
            # The last ones of each aggregator once more: the new ones must not go back behind them.
            before = self._last.pop(stream, {})
            violation = oracle.first_violation([*before.values(), *new])
            if violation:
                self.wrong.append(f"{stream[0]}: {violation}")
            by_epoch = before | {book.epoch: book for book in new if book.epoch}
            oldest = time.time_ns() - REMEMBERED_S / 2 * 1e9
            recent = [book for book in by_epoch.values() if book.ts_in > oldest]
            self._last[stream] = {book.epoch: book for book in sorted(recent, key=_ts_in)}
        self.right += len(books)
        oldest = time.time_ns() - REMEMBERED_S * 1e9
        self._last = {
            stream: last
            for stream, last in self._last.items()
            if any(book.ts_in > oldest for book in last.values())
        }

    def _read_truth(self, now: float) -> None:
        lines = self._truth_log.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            self._truth_log.seek(-len(lines.pop()), 1)
        # The simulator goes on writing where it was: only the disk's blocks are given back.
        judged = str(self._truth_log.tell())
        command = ("fallocate", "--punch-hole", "--length", judged, self._truth_log_name)
        subprocess.run(command, check=False, capture_output=True)
        self._truth.extend(lines)
        self._piece_lengths.append((now, len(lines)))
        while now - self._piece_lengths[0][0] > REMEMBERED_S:
            for _ in range(self._piece_lengths.popleft()[1]):
                self._truth.popleft()


def _ts_in(book: Book) -> int:
    return book.ts_in


class Fault(NamedTuple):
    """What goes wrong, and where."""

    kind: str
    where: str

    def __str__(self) -> str:
        return f"{self.kind} {self.where}"


def deck() -> list[Fault]:
    """Return each fault there is, once."""
    signals = ("SIGKILL", "SIGTERM", "SIGSTOP")
    return [
        *(Fault(kind, name) for name in HARMED for kind in signals),
        *(Fault(kind, venue) for venue in VENUES for kind in VENUE_FAULTS),
    ]


def faults(seed: int) -> Iterator[Fault]:
    """Yield faults for ever: all there are in a random order, then all in another."""
    chance = random.Random(seed)
    while True:
        cards = deck()
        chance.shuffle(cards)
        yield from cards


@dataclass
class Soak:
    """One soak: what it does, and what it has seen."""

    system: Soaked
    seconds: float
    seed: int
    fault_every_s: float
    judge: Judge
    results: Results
    began: float = field(default_factory=time.monotonic)
    down: set[str] = field(default_factory=set)
    """Processes that a fault ended and that are not back."""

    async def run(self) -> None:
        """Soak until the time is over."""
        harming = asyncio.create_task(self._harm())
        try:
            while (now := self._now()) < self.seconds:
                await asyncio.sleep(SAMPLE_EVERY_S - now % SAMPLE_EVERY_S)
                if harming.done():
                    harming.result()
                self._sample()
                self._take_books()
                await self._raise_the_dead()
                self._say()
        finally:
            harming.cancel()
            await asyncio.gather(harming, return_exceptions=True)

    def _now(self) -> float:
        return time.monotonic() - self.began

    def _sample(self) -> None:
        for name, process in self.system.processes.items():
            if process.running and name not in self.down:
                with suppress(FileNotFoundError, ProcessLookupError):
                    sample = read_sample(process.pid, self._now())
                    self.results.add_sample(name, process.pid, sample)

    def _take_books(self) -> None:
        files = sorted(self.system.books.glob("*.books"), key=lambda file: file.stat().st_mtime_ns)
        records = [
            (bot, said)
            for file in files
            for bot, said in read_history(file)
            if isinstance(said, Book)
        ]
        for file in files:
            file.unlink()
        self.judge.judge(records, self._now())
        unharmed = f" {self.system.processes['bots-1'].pid}"
        latencies = [
            book.latency_ns / 1e6
            for bot, book in records
            if bot.startswith("reader 1") and unharmed in bot and book.latency_ns is not None
        ]
        if latencies:
            self.results.latencies.append(Latency.of(self._now(), latencies))
        self.results.right, self.results.wrong = self.judge.right, self.judge.wrong

    async def _raise_the_dead(self) -> None:
        for name, process in list(self.system.processes.items()):
            if not process.running and name not in self.down:
                await asyncio.sleep(1.0)  # Ctrl-C ends them and us
                self.results.problems.append(f"{name} ended by itself at {self._now():.0f} s")
                await self.system.restart(name)

    async def _harm(self) -> None:
        for fault in faults(self.seed):
            await asyncio.sleep(self.fault_every_s)
            self.results.faults.append((self._now(), str(fault)))
            try:
                await self._inflict(fault)
            except AssertionError as error:
                self.results.problems.append(f"after {fault}: {error}")

    async def _inflict(self, fault: Fault) -> None:
        if fault.where in VENUES:
            await self.system.fault(fault.where, fault.kind)
            return
        process = self.system.processes[fault.where]
        if fault.kind == "SIGSTOP":
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(FROZEN_S)
            process.signal(signal.SIGCONT)
            return
        self.down.add(fault.where)
        try:
            if fault.kind == "SIGKILL":
                process.kill()
            else:
                process.signal(signal.SIGTERM)
                code = await process.ended()
                assert code in {0, -signal.SIGTERM}, f"it ended with {code}"
            await asyncio.sleep(DOWN_S)
            await self.system.restart(fault.where)
        finally:
            self.down.remove(fault.where)

    def _say(self) -> None:
        latency = self.results.latencies[-1] if self.results.latencies else None
        fault = self.results.faults[-1][1] if self.results.faults else "none so far"
        now = self._now()
        words = [
            f"{clock(now)} of {clock(self.seconds)}",
            f"{self.judge.right:,} books, {len(self.judge.wrong)} wrong",
            f"p99 {latency.p99_ms:.1f} ms" if latency else "no books",
            f"{sum(life.samples[-1].rss_mib for life in self.results.newest()):.0f} MiB",
            f"fault {len(self.results.faults)}: {fault}",
        ]
        LIVE_LINE.show(" · ".join(words), now)


def read_sample(pid: int, at_s: float) -> Sample:
    """Return what a process holds at this moment.

    Raises:
        FileNotFoundError: it is gone.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines())
    if "VmRSS" not in facts:
        raise FileNotFoundError(pid)  # a zombie has no memory
    fds = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Sample(at_s, int(facts["VmRSS"].split()[0]) / 1024, fds, int(facts["Threads"]))


def keep(results: Results, folder: Path, out: Path) -> None:
    """Write down what was seen, and keep the logs."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results.as_json()))
    if results.latencies:
        draw(results, out / "soak.png")
    for log in folder.glob("*.log"):
        shutil.copy(log, out)


async def soak(
    minutes: float, rate: float, seed: int, fault_every_s: float, results: Results, out: Path
) -> None:
    """Soak and report, also when it is cut short."""
    this = asyncio.current_task()
    assert this is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this.cancel)
    names = [RESTING, *(f"COIN{number}-USD" for number in range(INSTRUMENTS))]
    with tempfile.TemporaryDirectory() as folder, Soaked(Path(folder), names) as system:
        LIVE_LINE.show("00:00 starting", 0.0)
        try:
            await system.start_soaked(rate)
            await Soak(
                system, minutes * 60, seed, fault_every_s, Judge(system.truth_log), results
            ).run()
        except asyncio.CancelledError:
            results.cut_short = True
        finally:
            keep(results, Path(folder), out)


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option("--rate", default=300.0, show_default=True, help="Updates a second in all.")
@click.option("--seed", default=1, show_default=True, help="Of the faults.")
@click.option("--fault-every", default=60.0, show_default=True, help="Seconds.")
@click.option(
    "--warm-up", "warm_up", type=float, help="Minutes not judged.  [default: a sixth of all]"
)
@click.option(
    "--out", default=Path("build/soak"), show_default=True, type=click.Path(path_type=Path)
)
def main(
    minutes: float, rate: float, seed: int, fault_every: float, warm_up: float | None, out: Path
) -> None:
    warm_up_s = 60 * (minutes / 6 if warm_up is None else warm_up)
    results = Results(warm_up_s, frozenset(HARMED))
    asyncio.run(soak(minutes, rate, seed, fault_every, results, out))
    print(f"\n{table(results)}\nall of it in {out}")
    failures = list(results.failures())
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
