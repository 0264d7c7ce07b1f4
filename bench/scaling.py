"""What a process costs for each update and each bot.

    python bench/scaling.py [SECONDS]

Runs the whole system on simulated venues in several sizes. Prints for each size and process its
share of one core over SECONDS (default 8), its memory, and how many messages a second it took in
and gave out: a listener a venue's frames and books, an aggregator books and views, a gateway views
and what bots got. Then the slopes: what one more of them costs, whatever a process costs at rest.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import linear_regression
from typing import Final, NamedTuple
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from system import VENUES, Bot, Process, System, live_venues

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
SETTLE_S: Final = 2.0
STATUS: Final = ("--status", "127.0.0.1:0")

COUNTERS: Final = {
    "listener-kraken": ("dragonfly_listener_frames_total", "dragonfly_listener_published_total"),
    "aggregator": ("dragonfly_bus_received_total", "dragonfly_aggregator_published_total"),
    "gateway": ("dragonfly_gateway_heard_total", "dragonfly_gateway_sent_total"),
}


class Size(NamedTuple):
    """One setting of the whole system."""

    instruments: int
    rate: int
    """Updates a second of each instrument at each venue."""
    bots: int
    """Each reads the book of one instrument."""


FEW_BOTS: Final = (Size(10, 10, 1), Size(100, 1, 1), Size(40, 10, 1), Size(10, 40, 1))
MORE_BOTS: Final = (Size(10, 10, 1), Size(10, 10, 10), Size(10, 10, 40))


class Reading(NamedTuple):
    """What a process used and did, up to a moment or in a second."""

    cpu_s: float
    taken: float
    given: float


def read(process: Process, name: str) -> Reading:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    (ready,) = (event for event in process.events() if event["event"] == "ready")
    with urlopen(f"http://{ready['status']}/metrics") as page:
        lines = page.read().decode().splitlines()
    taken, given = (
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(counter))
        for counter in COUNTERS[name]
    )
    return Reading((int(fields[11]) + int(fields[12])) / TICKS_PER_S, taken, given)


def resident_mib(process: Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def measure(size: Size, seconds: float) -> dict[str, Reading]:
    """Return what each process used and did in a second, and print it."""
    names = [f"T{number}-USD" for number in range(size.instruments)]
    named = [word for name in names for word in ("--instrument", name)]
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        system = stack.enter_context(System(Path(folder)))
        await system.start(
            simulator=("--rate", str(size.rate), *named),
            listener=STATUS,
            aggregator=STATUS,
            gateway=(*STATUS, *named),
        )
        for number in range(size.bots):
            bot = Bot(system.gateway_address, names[number % len(names)])
            await stack.enter_async_context(bot)
            await bot.until(
                lambda book: live_venues(book) == set(VENUES), within_s=30, what="all venues live"
            )
        await asyncio.sleep(SETTLE_S)
        before = {name: read(system.processes[name], name) for name in COUNTERS}
        await asyncio.sleep(seconds)
        found = {}
        for name in COUNTERS:
            after = read(system.processes[name], name)
            found[name] = Reading(
                *((new - old) / seconds for new, old in zip(after, before[name], strict=True))
            )
            print(
                f"{size.instruments:11} {size.rate:6} {size.bots:4}  {name:15}"
                f" {100 * found[name].cpu_s:6.1f} {resident_mib(system.processes[name]):4.0f}"
                f" {found[name].taken:6.0f} {found[name].given:6.0f}",
                flush=True,
            )
        return found


def slope_us(costs: list[float], counts: list[float]) -> float:
    return 1e6 * linear_regression(counts, costs).slope


async def main(seconds: float) -> None:
    print("instruments rate/s bots  process         % core  MiB   in/s  out/s")
    found = {size: await measure(size, seconds) for size in dict.fromkeys(FEW_BOTS + MORE_BOTS)}
    print("\nCPU time of one more message")
    for name, what in (
        ("listener-kraken", "frame of a venue"),
        ("aggregator", "book of a listener"),
        ("gateway", "view of the aggregator"),
    ):
        readings = [found[size][name] for size in FEW_BOTS]
        slope = slope_us([one.cpu_s for one in readings], [one.taken for one in readings])
        print(f"{what:25} {slope:5.0f} µs")
    readings = [found[size]["gateway"] for size in MORE_BOTS]
    slope = slope_us([one.cpu_s for one in readings], [one.given for one in readings])
    print(f"{'book sent to a bot':25} {slope:5.0f} µs")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 8.0))
