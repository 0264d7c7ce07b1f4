"""What a message of every venue costs a listener.

    python bench/every_listener.py [--seconds S] [--repeat N] [--venue NAME]...

The venue's simulator sends what the listener subscribes to, best prices included, over a plain
socket: 200 changes a second in all of four books for S seconds (default 2), first each of the ten
best levels, then each of a level below them; and 4000 of either kind as fast as the simulator makes
them, 50 at a time. Printed is the listener's CPU time for one frame that was sent: of whole books a
listener that is behind reads the newest alone. A channel that shows no level below sends nothing of
the second kind. The medians of N repetitions (default 3) are printed. The clock has ticks of 10 ms:
the figures at 200 a second are good to 50 µs divided by S.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import structlog
from dialogue import Walk
from listeners import idle_since
from measuring import START_WITHIN_S, Worker, at_last, medians, print_table, save, usage
from system import System
from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import running_simulator
from venue_simulator.venues import VENUES

RATE: Final = 200.0
FLOOD: Final = 4000
TOGETHER: Final = 50
"""Changes of a flood between which the simulator's sockets are written."""
INSTRUMENTS: Final = ("ETH-BTC", "BTC-USD", "ETH-USD", "SOL-USD")
SETTLED_S: Final = 2.0
"""Until all books stand, and what a listener does once is done."""

Figures = dict[str, float]


def run_venue(pipe: Connection, venue: str) -> None:
    """Say a venue's addresses; answer `(rate, seconds, news)` with how many frames were sent."""
    level = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=level)
    asyncio.run(_serve(pipe, venue))


async def _serve(pipe: Connection, venue: str) -> None:
    loop = asyncio.get_running_loop()
    options = SimulatorOptions(venues=(venue,), instruments=INSTRUMENTS)
    async with running_simulator(options) as simulator:
        pipe.send({venue: {"ws": simulator.ws_url(venue), "rest": simulator.rest_url(venue)}})
        walks = {name: Walk(name) for name in INSTRUMENTS}
        turns = cycle(walks.items())
        while True:
            rate, seconds, news = await loop.run_in_executor(None, pipe.recv)
            before, began = simulator.frames_sent(venue), loop.time()
            total = round(rate * seconds) if rate else FLOOD
            for number in range(total):
                name, walk = next(turns)
                simulator.set_book(venue, name, *walk.move(news=news))
                if rate:
                    await asyncio.sleep(max(0.0, began + (number + 1) / rate - loop.time()))
                elif number % TOGETHER == 0:
                    await asyncio.sleep(0)
            pipe.send(simulator.frames_sent(venue) - before)


@contextmanager
def _listening(venue: str) -> Iterator[tuple[int, Worker]]:
    """Yield a listener that follows the instruments, as its process, and its venue."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sender = stack.enter_context(Worker(run_venue, venue))
        system = stack.enter_context(System(folder))
        system.start_within_s = START_WITHIN_S
        system.simulated = {"venues": sender.answer()}
        followed = [f"--instrument={name}" for name in INSTRUMENTS]

        async def start() -> None:
            await system.start_listener(venue, *followed)
            await system.start_aggregator(*followed, venues=(venue,))

        asyncio.run(start())
        sender.ask(RATE, SETTLED_S, True)
        yield system.processes[f"listener-{venue}"].pid, sender


def measure(venue: str, seconds: float) -> Figures:
    """Return µs of CPU for a frame of each kind, paced and in a flood; nan where none is sent."""
    figures: Figures = {}
    with _listening(venue) as (pid, sender):
        for kind, news in (("changed", True), ("unchanged", False)):
            for pace, rate in ((f"{kind}, {RATE:g}/s", RATE), (f"{kind}, flood", 0.0)):
                before = usage(pid).cpu_s
                sent = sender.ask(rate, seconds, news)
                idle_since(pid)
                used_s = usage(pid).cpu_s - before
                figures[pace] = used_s / sent * 1e6 if sent else float("nan")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="What a message of every venue costs a listener.")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--venue", action="append", choices=VENUES)
    given = parser.parse_args()
    found: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(given.repeat):
        for venue in given.venue or VENUES:
            found[venue].append(at_last(measure, venue, given.seconds))
    rows = {name: medians(figures) for name, figures in found.items()}
    table = [[name, *row.values()] for name, row in rows.items()]
    columns = next(iter(rows.values()))
    print_table("A listener: CPU µs for a frame", ["", *columns], table)
    save("every_listener", {"rows": rows})


if __name__ == "__main__":
    main()
