"""What a message of each venue costs a listener; cryptofeed beside it.

    python bench/listeners.py [--seconds S] [--repeat N]

A listener follows instruments for an aggregator: so many that no frame of one waits beside an older
one of it, which a listener that is behind would not read. The venue sends 1000 frames a second for
S seconds (default 4), first each with news, then each the last one again under a new sequence; then
both as fast as they are taken. Printed is the CPU time for one frame: at 1000 a second it is mostly
that of waking up, in a flood that of the frame itself. "of one" is a flood of a single instrument.

cryptofeed, in an environment of its own under build/, gets the same with its ZeroMQ book backend:
as it comes, from a channel of differences to differences; and the same levels in each frame as the
listener gets, to whole books of ten levels. All speak TLS and take turns, N times (default 3);
medians are printed.

Last, one to three replicas of a listener share 60 instruments and the same 1000 frames a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import zmq
from measuring import (
    BUILD,
    DRAINED_S,
    START_WITHIN_S,
    Worker,
    at_last,
    medians,
    print_table,
    save,
    usage,
)
from system import System
from venue_sender import INSTRUMENT, run_sender

RATE: Final = 1000.0
FLOOD: Final = 10_000
"""Frames: of more at once a listener on a busy machine stands still for a second, and connects
anew."""
FLOODS: Final = 3
"""One after the other."""
OURS: Final = {"binance": 240, "bitstamp": 60, "kraken": 60, "okx": 30}
"""Venues, and of how many instruments each frames fill 256 kB, which are read at once; of OKX, as
many as one connection may follow."""
LEVELS: Final = {"binance": 20, "bitstamp": 100}
"""Of the whole tops that a listener gets. cryptofeed speaks Kraken's first protocol, not this."""
CRYPTOFEED: Final = "cryptofeed==2.4.1"
SNAPSHOT_S: Final = 6.5
"""cryptofeed asks Bitstamp for a snapshot 5 s after it subscribed."""

SHARED: Final = 60
FOLLOWED_S: Final = 90.0
SHARED_S: Final = 8.0
"""Until replicas have found each other and handed over, at four subscriptions a second."""
KINDS: Final = ("as it comes", "same in and out")
LOG: Final = BUILD / "cryptofeed.log"

Figures = dict[str, float]


def find_cryptofeed() -> str | None:
    """Return a Python that has cryptofeed, set up the first time; None where it cannot be."""
    home = BUILD / "cryptofeed"
    python = home / "bin" / "python"
    ready = home / "installed"
    if not ready.exists():
        print("Installing cryptofeed into build/bench/cryptofeed", flush=True)
        venv.create(home, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-q", CRYPTOFEED, "pyzmq"]
        with LOG.open("wb") as output:
            if subprocess.run(pip, stdout=output, stderr=output, check=False).returncode:
                print(f"{CRYPTOFEED} cannot be had here, so nothing is compared with it: see {LOG}")
                return None
        ready.touch()
    return str(python)


def costs(pid: int, sender: Worker, seconds: float, *, news: bool) -> tuple[float, float, float]:
    """Return µs of a process for a frame, paced and in a flood, and a flood's frames a second."""
    before = usage(pid).cpu_s
    (sent,) = sender.ask("send" if news else "repeat", RATE, seconds).values()
    idle_since(pid)
    between, took = usage(pid).cpu_s, 0.0
    for _ in range(FLOODS):
        began = time.monotonic()
        sender.ask("flood", FLOOD, news)
        took += idle_since(pid) - began
    flood, frames = usage(pid).cpu_s - between, FLOODS * FLOOD
    return (between - before) / len(sent.ns) * 1e6, flood / frames * 1e6, frames / took


def measure_ours(venue: str, seconds: float) -> Figures:
    """Return what a listener's messages cost, and how many a second it takes."""
    figures: Figures = {}
    with _listening(venue, OURS[venue]) as (pid, sender):
        for kind, news in (("changed", True), ("unchanged", False)):
            paced, flood, per_s = costs(pid, sender, seconds, news=news)
            figures |= {f"{kind}, paced": paced, kind: flood, f"{kind}/s": per_s}
    figures["ratio"] = figures["unchanged"] / figures["changed"]
    with _listening(venue, 1) as (pid, sender):
        _, figures["of one"], figures["of one/s"] = costs(pid, sender, seconds, news=True)
    return figures


@contextmanager
def _listening(venue: str, count: int) -> Iterator[tuple[int, Worker]]:
    """Yield a listener that follows so many instruments, as its process, and who sends to it."""
    instruments = [f"COIN{number}-USD" for number in range(count)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ca_file = folder / "ca.pem"
        sender = stack.enter_context(Worker(run_sender, (venue,), instruments, ca_file))
        system = stack.enter_context(System(folder))
        system.start_within_s = START_WITHIN_S
        system.simulated = {"venues": sender.answer()}
        named = [f"--instrument={name}" for name in instruments]

        async def start() -> None:
            await system.start_listener(venue, *named, f"--ca-file={ca_file}")
            await system.start_aggregator(*named, venues=(venue,))

        asyncio.run(start())
        deadline = time.monotonic() + FOLLOWED_S
        while sender.ask("followed") < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{venue}: {count} instruments not within {FOLLOWED_S:g} s")
            time.sleep(0.1)
        sender.ask("send", RATE, 1.0)
        connected = sender.ask("connected")
        yield system.processes[f"listener-{venue}"].pid, sender
        if sender.ask("connected") != connected:
            raise EOFError(f"{venue}: the listener connected anew, and missed frames")


def idle_since(pid: int) -> float:
    """Return when a process stopped working, once it has."""
    used, since = usage(pid).cpu_s, time.monotonic()
    while time.monotonic() < since + DRAINED_S:
        time.sleep(0.01)
        if usage(pid).cpu_s > used:
            used, since = usage(pid).cpu_s, time.monotonic()
    return since


def measure_replicas(count: int, seconds: float) -> Figures:
    """Return what so many replicas cost together, and the busiest of them, at the same load."""
    instruments = [f"COIN{number}-USD" for number in range(SHARED)]
    with ExitStack() as stack:
        sender = stack.enter_context(Worker(run_sender, ("binance",), instruments, None))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        system = stack.enter_context(System(folder))
        system.start_within_s = START_WITHIN_S
        system.simulated = {"venues": sender.answer()}
        names = [f"listener-binance-{number}" for number in range(count)]
        peers = [f"--peer={system.address(name)}" for name in names]
        upstreams = [f"--upstream={system.address(name)}" for name in names]

        async def start() -> None:
            await system.start_aggregator(
                *upstreams, *(f"--instrument={name}" for name in instruments), venues=()
            )
            for name in names:
                await system.start_listener("binance", *peers, name=name)
            await asyncio.sleep(SHARED_S)

        asyncio.run(start())
        pids = [system.processes[name].pid for name in names]
        before = [usage(pid).cpu_s for pid in pids]
        ((sent),) = sender.ask("send", RATE, seconds).values()
        used = [usage(pid).cpu_s - was for pid, was in zip(pids, before, strict=True)]
        return {
            "together": sum(used) / len(sent.ns) * 1e6,
            "cores": sum(used) / seconds,
            "busiest": max(used) / seconds,
        }


@contextmanager
def cryptofeed(
    python: str, venue: str, urls: dict[str, str], ca_file: Path, port: int, *, whole: bool
) -> Iterator[int]:
    """Yield the id of its process, once it has its book."""
    arguments = [
        venue,
        urls["ws"],
        urls["rest"],
        INSTRUMENT,
        str(port),
        "whole" if whole else "changes",
    ]
    with LOG.open("ab") as log:
        peer = subprocess.Popen(
            [python, str(Path(__file__).with_name("cryptofeed_peer.py")), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "SSL_CERT_FILE": str(ca_file), "REQUESTS_CA_BUNDLE": str(ca_file)},
        )
    try:
        time.sleep(SNAPSHOT_S)
        yield peer.pid
    finally:
        peer.kill()
        peer.wait()


def run_drain(pipe: Connection) -> None:
    """Say a port, and take all that comes there over ZeroMQ; at a question, say how much it was."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.subscribe(b"")
    pipe.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(pipe.fileno(), zmq.POLLIN)
    taken = 0
    while True:
        for ready, _ in poller.poll():
            if ready is socket:
                socket.recv()
                taken += 1
            else:
                pipe.recv()
                pipe.send(taken)
                taken = 0


def measure_theirs(python: str, venue: str, kind: str, seconds: float) -> Figures:
    """Return the same of cryptofeed."""
    same = kind != KINDS[0]
    with ExitStack() as stack:
        ca_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ca.pem"
        given = ((venue,), (INSTRUMENT,), ca_file, LEVELS[venue] if same else 0)
        sender = stack.enter_context(Worker(run_sender, *given))
        urls = sender.answer()[venue]
        drain = stack.enter_context(Worker(run_drain))
        port = drain.answer()
        pid = stack.enter_context(cryptofeed(python, venue, urls, ca_file, port, whole=same))
        sender.ask("send", RATE / 10, 1.0)
        drain.ask("count")
        paced, flood, per_s = costs(pid, sender, seconds, news=True)
        if drain.ask("count") < FLOODS * FLOOD:
            raise RuntimeError(f"cryptofeed does not publish all changes: see {LOG}")
        return {f"{kind}, paced": paced, kind: flood, f"{kind}/s": per_s}


def main() -> None:
    parser = argparse.ArgumentParser(description="What a message costs a listener.")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    python = find_cryptofeed()
    found: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(given.repeat):
        for venue in OURS:
            figures = at_last(measure_ours, venue, given.seconds)
            if python and venue in LEVELS:
                for kind in KINDS:
                    figures |= at_last(measure_theirs, python, venue, kind, given.seconds)
                    figures[f"{kind}, times"] = figures[kind] / figures["changed"]
                    figures[f"{kind}, times of one"] = figures[kind] / figures["of one"]
            found[venue].append(figures)
        for count in (1, 2, 3):
            found[f"{count} replicas"].append(at_last(measure_replicas, count, given.seconds))
    rows = {name: medians(figures) for name, figures in found.items()}
    show(rows)
    save("listeners", {"rows": rows})


def show(rows: dict[str, Figures]) -> None:
    """Print the tables."""
    ours = ("changed, paced", "unchanged, paced", "changed", "unchanged", "ratio", "changed/s")
    ours_of_one = ("of one", "of one/s")
    theirs = tuple(
        f"{kind}{what}" for kind in KINDS for what in (", paced", "", ", times", ", times of one")
    )
    replicas = ("together", "cores", "busiest")
    for title, columns in (
        ("A listener: CPU µs for a frame, at 1000 a second and in a flood", (*ours, *ours_of_one)),
        (
            "cryptofeed: the same, and how many times a listener's in a flood, of many and of one",
            theirs,
        ),
        ("Replicas of a listener: CPU µs for a frame, cores, cores of the busiest", replicas),
    ):
        found = [
            [name, *(figures[column] for column in columns)]
            for name, figures in rows.items()
            if columns[0] in figures
        ]
        print_table(title, ["", *columns], found)


if __name__ == "__main__":
    main()
