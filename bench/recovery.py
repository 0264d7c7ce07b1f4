"""How fast what is dead leaves the books, and how fast all is whole again.

    python bench/recovery.py [ROUNDS]

Runs the whole system on a seeded market and measures, from a bot, each promise about recovery,
ROUNDS times (default 5). Prints the median and the worst against the bound.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dragonfly_client import Book
from system import VENUES, Bot, System, live_venues

DEADLINE_S: Final = 30.0
SETTLE_S: Final = 0.5

Figures = dict[str, list[float]]
"""Measured seconds by what was measured."""

BOUNDS_S: Final = {
    "killed listener: gone": 1.0,
    "killed listener: whole after restart": 2.0,
    "frozen listener: gone": 0.75,
    "thawed listener: whole": 2.0,
    "killed aggregator: gone": 1.0,
    "killed aggregator: whole after restart": 2.0,
    "killed gateway: whole after restart": 2.0,
    "joined a quiet market: first book": 0.3,
    "asked for a new instrument: first live book": 2.0,
}


def is_whole(book: Book) -> bool:
    return live_venues(book) == set(VENUES)


async def seconds_until(bot: Bot, holds: Callable[[Book], bool], what: str) -> float:
    """Return the seconds from now until the bot has a book for which `holds` does."""
    started = time.perf_counter()
    await bot.until(holds, within_s=DEADLINE_S, what=what)
    return time.perf_counter() - started


async def restarted(system: System, bot: Bot, name: str) -> float:
    """Restart a process; return the seconds from its start until a new book is whole."""
    received = len(bot.books)
    started = time.perf_counter()
    await system.restart(name)
    await bot.until(
        lambda book: len(bot.books) > received and is_whole(book),
        within_s=DEADLINE_S,
        what=f"whole after the restart of {name}",
    )
    return time.perf_counter() - started


async def kill_listener(system: System, bot: Bot, figures: Figures) -> None:
    system.processes["listener-kraken"].kill()
    figures["killed listener: gone"].append(
        await seconds_until(bot, lambda book: "kraken" not in live_venues(book), "kraken gone")
    )
    figures["killed listener: whole after restart"].append(
        await restarted(system, bot, "listener-kraken")
    )


async def freeze_listener(system: System, bot: Bot, figures: Figures) -> None:
    system.processes["listener-binance"].signal(signal.SIGSTOP)
    figures["frozen listener: gone"].append(
        await seconds_until(bot, lambda book: "binance" not in live_venues(book), "binance gone")
    )
    system.processes["listener-binance"].signal(signal.SIGCONT)
    figures["thawed listener: whole"].append(await seconds_until(bot, is_whole, "whole"))


async def kill_aggregator(system: System, bot: Bot, figures: Figures) -> None:
    system.processes["aggregator"].kill()
    figures["killed aggregator: gone"].append(
        await seconds_until(bot, lambda book: not book.live, "nothing live")
    )
    figures["killed aggregator: whole after restart"].append(
        await restarted(system, bot, "aggregator")
    )


async def kill_gateway(system: System, bot: Bot, figures: Figures) -> None:
    system.processes["gateway"].kill()
    figures["killed gateway: whole after restart"].append(await restarted(system, bot, "gateway"))


SCENES: Final[tuple[Callable[[System, Bot, Figures], Awaitable[None]], ...]] = (
    kill_listener,
    freeze_listener,
    kill_aggregator,
    kill_gateway,
)


async def moving_market(rounds: int, figures: Figures) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", "20"))
        async with Bot(system.gateway_address, "ETH-BTC") as bot:
            await bot.until(is_whole, within_s=DEADLINE_S, what="whole")
            for _ in range(rounds):
                for scene in SCENES:
                    await scene(system, bot, figures)
                    await asyncio.sleep(SETTLE_S)


async def quiet_market(rounds: int, figures: Figures) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", "0"))
        async with Bot(system.gateway_address, "ETH-BTC") as first:
            await first.until(is_whole, within_s=DEADLINE_S, what="whole")
            for _ in range(rounds):
                started = time.perf_counter()
                async with Bot(system.gateway_address, "ETH-BTC") as bot:
                    await bot.until(is_whole, within_s=DEADLINE_S, what="first book")
                    figures["joined a quiet market: first book"].append(
                        time.perf_counter() - started
                    )


async def new_instruments(rounds: int, figures: Figures) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", "20"))
        async with Bot(system.gateway_address, "ETH-BTC") as first:
            await first.until(is_whole, within_s=DEADLINE_S, what="whole")
            names = await first.instruments_everywhere()
        for name in [name for name in names if name != "ETH-BTC"][:rounds]:
            started = time.perf_counter()
            async with Bot(system.gateway_address, name) as bot:
                await bot.until(is_whole, within_s=DEADLINE_S, what=f"a live book of {name}")
                figures["asked for a new instrument: first live book"].append(
                    time.perf_counter() - started
                )


async def main(rounds: int) -> None:
    figures: Figures = {name: [] for name in BOUNDS_S}
    await moving_market(rounds, figures)
    await quiet_market(rounds, figures)
    await new_instruments(rounds, figures)
    print(f"{'seconds':45} {'median':>8} {'worst':>8} {'bound':>8}")
    for name, seconds in figures.items():
        worst = max(seconds)
        verdict = "" if worst <= BOUNDS_S[name] else "  OVER"
        median = statistics.median(seconds)
        print(f"{name:45} {median:8.3f} {worst:8.3f} {BOUNDS_S[name]:8.3f}{verdict}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
