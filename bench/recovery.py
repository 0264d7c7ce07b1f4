"""How fast what is dead leaves the books, and how fast all is whole again.

    python bench/recovery.py [ROUNDS]

Runs the whole system on a seeded market and measures, from a bot, each promise about recovery,
ROUNDS times (default 5). Prints median, p99 and worst, and how many kept the bound. A restart is
timed from the new process's beginning, Python's own included; "once it is ready" leaves that out.
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
from slopes import percentile
from system import VENUES, Bot, System, live_venues

DEADLINE_S: Final = 30.0
SETTLE_S: Final = 0.5

Figures = dict[str, list[float]]
"""Measured seconds by what was measured."""

BOUNDS_S: Final = {
    "killed listener: gone": 1.0,
    "killed listener: whole after restart": 2.0,
    "killed listener: whole once it is ready": 1.0,
    "frozen listener: gone": 0.75,
    "thawed listener: whole": 2.0,
    "killed aggregator: gone": 1.0,
    "killed aggregator: whole after restart": 2.0,
    "killed aggregator: whole once it is ready": 1.0,
    "killed gateway: whole after restart": 2.0,
    "killed gateway: whole once it is ready": 1.0,
    "killed together: whole after restart": 2.0,
    "killed together: whole once it is ready": 1.0,
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


async def restart(system: System, bot: Bot, name: str, figures: Figures) -> None:
    """Restart a process, and wait for a new book that is whole."""
    received = len(bot.books)
    started = time.perf_counter()
    await system.restart(name)
    ready = time.perf_counter()
    await bot.until(
        lambda book: len(bot.books) > received and is_whole(book),
        within_s=DEADLINE_S,
        what=f"whole after the restart of {name}",
    )
    killed = f"killed {name.partition('-')[0]}"
    figures[f"{killed}: whole after restart"].append(time.perf_counter() - started)
    figures[f"{killed}: whole once it is ready"].append(time.perf_counter() - ready)


async def kill_listener(system: System, bot: Bot, figures: Figures) -> None:
    system.processes["listener-kraken"].kill()
    figures["killed listener: gone"].append(
        await seconds_until(bot, lambda book: "kraken" not in live_venues(book), "kraken gone")
    )
    await restart(system, bot, "listener-kraken", figures)


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
    await restart(system, bot, "aggregator", figures)


async def kill_gateway(system: System, bot: Bot, figures: Figures) -> None:
    system.processes["gateway"].kill()
    await restart(system, bot, "gateway", figures)


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


async def one_process(rounds: int, figures: Figures) -> None:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        await system.start(simulator=("--rate", "20"), together=True)
        async with Bot(system.gateway_address, "ETH-BTC") as bot:
            await bot.until(is_whole, within_s=DEADLINE_S, what="whole")
            for _ in range(rounds):
                system.processes["together"].kill()
                await restart(system, bot, "together", figures)
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
    await one_process(rounds, figures)
    await quiet_market(rounds, figures)
    await new_instruments(rounds, figures)
    print(f"{'seconds':45} {'median':>8} {'p99':>8} {'worst':>8} {'bound':>8}  within")
    for name, seconds in figures.items():
        median, worst, bound = statistics.median(seconds), max(seconds), BOUNDS_S[name]
        within = f"{sum(each <= bound for each in seconds)}/{len(seconds)}"
        p99 = percentile(seconds, 99)
        print(f"{name:45} {median:8.3f} {p99:8.3f} {worst:8.3f} {bound:8.3f}  {within}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
