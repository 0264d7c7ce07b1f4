"""What audits cost a listener: one with, one without, beside each other at the same venue.

    python bench/audits.py [SECONDS] [RATE]

Both follow ETH-BTC, which changes RATE times a second (default 200), for SECONDS (default 20).
Prints each one's CPU time per book frame, so that what else the machine does matters little, and
how many of its frames were best prices.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measuring import usage
from system import VENUES, Process, System

FRAMES: Final = "dragonfly_listener_frames_total"
BEST_PRICES: Final = 'dragonfly_listener_audits_total{audit="bbo"'


def counted(address: object, metric: str) -> float:
    """Return the sum of a counter over its labels."""
    with urlopen(f"http://{address}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))


async def figures(process: Process) -> tuple[float, float, float]:
    """Return CPU seconds, frames and best prices until now."""
    address = (await process.event("ready"))["status"]
    frames = await asyncio.to_thread(counted, address, FRAMES)
    best = await asyncio.to_thread(counted, address, BEST_PRICES)
    return usage(process.pid).cpu_s, frames, best


async def main(seconds: float, rate: float) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start_simulator("--rate", f"{rate:g}")
        for venue in VENUES:
            for option in ("--audit", "--no-audit"):
                given = (option, "--instrument=ETH-BTC", "--status=127.0.0.1:0")
                await system.start_listener(venue, *given, name=f"{venue}{option}")
        await asyncio.sleep(1.0)
        listeners = [p for name, p in system.processes.items() if name != "simulator"]
        before = [await figures(process) for process in listeners]
        await asyncio.sleep(seconds)
        print("listener             book frames  best prices  CPU µs/book frame")
        for process, was in zip(listeners, before, strict=True):
            cpu, frames, best = (b - a for a, b in zip(was, await figures(process), strict=True))
            books = frames - best
            print(f"{process.name:20} {books:11.0f} {best:12.0f} {cpu / books * 1e6:18.1f}")


if __name__ == "__main__":
    asyncio.run(
        main(
            float(sys.argv[1]) if len(sys.argv) > 1 else 20.0,
            float(sys.argv[2]) if len(sys.argv) > 2 else 200.0,
        )
    )
