"""Whether one bot that stopped reading costs the others anything.

    python bench/stalled_bot.py [SECONDS]

Twenty bots on a seeded market, in turns: all read, then one of them stops. Prints what the other
nineteen see: books a second each, and the latency from the listener's socket to the bot. All bots
share this one process, so its own load is in the figures; the market is slow enough for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dragonfly_client import DragonflyClient
from system import VENUES, Bot, System, live_venues

BOTS: Final = 20
RATE: Final = 20
TURNS: Final = 3
DEADLINE_S: Final = 30.0


async def measure(bots: Sequence[Bot], seconds: float, what: str) -> None:
    """Let the bots read for a while, and print what they saw in it."""
    before = [len(bot.books) for bot in bots]
    await asyncio.sleep(seconds)
    books = [book for bot, start in zip(bots, before, strict=True) for book in bot.books[start:]]
    latencies = [book.latency_ns / 1e6 for book in books if book.latency_ns is not None]
    hundredths = statistics.quantiles(latencies, n=100)
    rate = len(books) / len(bots) / seconds
    print(f"{what:20} {rate:12.1f} {hundredths[49]:9.3f} {hundredths[98]:9.3f}")


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", str(RATE)))
        async with contextlib.AsyncExitStack() as stack:
            bots = [
                await stack.enter_async_context(Bot(system.gateway_address, "ETH-BTC"))
                for _ in range(BOTS - 1)
            ]
            for bot in bots:
                await bot.until(
                    lambda book: live_venues(book) == set(VENUES), within_s=DEADLINE_S, what="whole"
                )
            print(f"{'':20} {'books/s/bot':>12} {'p50 ms':>9} {'p99 ms':>9}")
            for _ in range(TURNS):
                async with Bot(system.gateway_address, "ETH-BTC"):
                    await measure(bots, seconds, "all twenty read")
                async with (
                    DragonflyClient(system.gateway_address) as client,
                    contextlib.aclosing(client.book("ETH-BTC")) as stalled,
                ):
                    await anext(stalled)
                    await measure(bots, seconds, "one has stalled")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
