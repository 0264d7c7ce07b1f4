"""What bots notice of replicas that come, leave and die: how long a venue is out of a book.

    python bench/replicas.py [ROUNDS]

Runs the system with up to three replicas of Binance's listener and of the aggregator on a seeded
market, ROUNDS times (default 3). Prints the median and the worst, in seconds; 0 is nothing.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from replicated import Replicated
from system import VENUES, Bot, live_venues, outages

INSTRUMENTS: Final = tuple(f"COIN{number}-USD" for number in range(20))
MOVED_S: Final = 6.0
"""A newcomer is found, has its instruments live, and 3 s later has them for itself."""
BACK_S: Final = 2.0

Figures = dict[str, list[float]]


async def measure(figures: Figures, redundancy: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Replicated(Path(folder)) as system:
        each = f"--redundancy={redundancy}"
        await system.start_all(each, aggregator=[each], instruments=INSTRUMENTS)
        async with Bot(system.gateway_address, *INSTRUMENTS) as bot:
            await bot.until(
                lambda _: (
                    len(bot.latest) == len(INSTRUMENTS)
                    and all(live_venues(book) == set(VENUES) for book in bot.latest.values())
                ),
                within_s=30,
                what="all live",
            )

            async def note(what: str, act: object, wait_s: float) -> None:
                begin = len(bot.books)
                assert asyncio.iscoroutine(act)
                await act
                await asyncio.sleep(wait_s)
                longest = max(outages(bot.books, begin), default=(0.0, "", ""))[0]
                figures.setdefault(f"redundancy {redundancy}: {what}", []).append(longest)

            async def kill(name: str) -> None:
                system.processes[name].kill()

            async def stop(name: str) -> None:
                began = time.perf_counter()
                await system.stop(name)
                took = time.perf_counter() - began
                figures.setdefault(f"{name[:-2]} stops: seconds until it ended", []).append(took)

            two = asyncio.gather(system.add("listener-binance-2"), system.add("listener-binance-3"))
            await note("two listeners join", _done(two), MOVED_S)
            await note("a listener is killed", kill("listener-binance-2"), BACK_S)
            await note("a listener stops", stop("listener-binance-3"), BACK_S)
            await note("an aggregator joins", system.add("aggregator-2"), MOVED_S)
            await note("an aggregator is killed", kill("aggregator-1"), BACK_S)
            await note("an aggregator joins again", system.add("aggregator-3"), MOVED_S)
            await note("an aggregator stops", stop("aggregator-3"), BACK_S)


async def _done(pending: asyncio.Future[tuple[None, None]]) -> None:
    await pending


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    figures: Figures = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        for redundancy in (1, 2):
            asyncio.run(measure(figures, redundancy))
    print(f"{'':58}{'median':>8}{'worst':>8}")
    for what, seconds in figures.items():
        print(f"{what:58}{statistics.median(seconds):8.3f}{max(seconds):8.3f}")


if __name__ == "__main__":
    main()
