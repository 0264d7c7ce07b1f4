"""What each process costs while no venue has anything to say.

    python bench/idle.py [SECONDS]

Starts the whole system on simulated venues that stay quiet after their first book, with one bot
connected, and prints each process's share of one core over SECONDS (default 20) and its memory.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measuring import print_table, save, usage
from system import VENUES, Bot, System, live_venues

BOUND_PERCENT: Final = 1.0
BOUND_MB: Final = 70.0


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", "0"))
        async with Bot(system.gateway_address, "ETH-BTC") as bot:
            await bot.until(
                lambda book: live_venues(book) == set(VENUES), within_s=20, what="all venues live"
            )
            processes = {n: p for n, p in system.processes.items() if n != "simulator"}
            before = {name: usage(process.pid).cpu_s for name, process in processes.items()}
            await asyncio.sleep(seconds)
            rows = {}
            for name, process in processes.items():
                now = usage(process.pid)
                rows[name] = (100 * (now.cpu_s - before[name]) / seconds, now.resident_mb)
    print_table(
        f"Without venue traffic, over {seconds:g} s"
        f" (bounds: {BOUND_PERCENT:g} % of a core, {BOUND_MB:g} MB)",
        ["process", "% of a core", "MB", ""],
        [
            [name, percent, mb, "OVER" if percent >= BOUND_PERCENT or mb >= BOUND_MB else ""]
            for name, (percent, mb) in rows.items()
        ],
    )
    save("idle", {"rows": rows})


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0))
