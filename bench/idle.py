"""What each process costs while no venue has anything to say.

    python bench/idle.py [SECONDS]

Starts the whole system on simulated venues that stay quiet after their first book, with one bot
connected, and prints each process's share of one core over SECONDS (default 20). The bound is 1 %.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from system import VENUES, Bot, System, live_venues

BOUND_PERCENT: Final = 1.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", "0"))
        async with Bot(system.gateway_address, "ETH-BTC") as bot:
            await bot.until(
                lambda book: live_venues(book) == set(VENUES), within_s=20, what="all venues live"
            )
            before = {name: cpu_s(process.pid) for name, process in system.processes.items()}
            await asyncio.sleep(seconds)
            print(f"% of a core over {seconds:g} s without venue traffic (bound {BOUND_PERCENT} %)")
            for name, process in system.processes.items():
                percent = 100 * (cpu_s(process.pid) - before[name]) / seconds
                verdict = "" if percent < BOUND_PERCENT or name == "simulator" else "  OVER"
                print(f"{name:20} {percent:6.2f}{verdict}")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0))
