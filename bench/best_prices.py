"""What best prices that are shown ahead of their book gain: one listener with, one without.

    python bench/best_prices.py [VENUE …] [--depth 10] [--seconds 30] [--rates 10,100]

Both follow ETH-BTC at the same simulated venue, which sends at its own intervals (`--paced`). Of
each change of the best prices, prints how long it takes until what a listener says on the bus is as
new, for half of all changes and for nine tenths; how much earlier they come on average; and each
listener's CPU time, of one core. From the bus to a bot both take the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Final

import msgspec
from dragonfly_common.bus import Delivery, Subscriber, drive
from dragonfly_common.clock import SystemClock
from dragonfly_common.messages import Book
from dragonfly_common.topics import book_interest
from dragonfly_common.types import FeedState
from dragonfly_venues.registry import find_venue, venue_names

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measuring import print_table, quantile, say_machine, usage
from system import System

INSTRUMENT: Final = "ETH-BTC"
OPTIONS: Final = ("--best-prices", "--no-best-prices")
SETTLED_S: Final = 2.0
"""Also how long the last change may take."""


class State(msgspec.Struct):
    """A state of the venue's book in the truth log."""

    ts: int
    venue_seq: int = 0
    instrument: str | None = None
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


class Ears:
    """When each listener had come how far."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._clock = SystemClock()
        self._subscribers = [Subscriber([address], self._clock) for address in addresses]
        self.heard: list[list[tuple[int, int]]] = [[] for _ in addresses]
        """Of each listener (venue_seq, ns)."""

    async def run(self) -> None:
        for subscriber in self._subscribers:
            subscriber.subscribe(book_interest(INSTRUMENT))
        await drive(self._subscribers, self._drain)

    def _drain(self) -> None:
        for subscriber, heard in zip(self._subscribers, self.heard, strict=True):
            for event in subscriber.drain():
                if isinstance(event, Delivery) and isinstance(event.body, Book):
                    book = event.body
                    if book.state is FeedState.LIVE:
                        heard.append((book.venue_seq, self._clock.now_ns()))

    def close(self) -> None:
        for subscriber in self._subscribers:
            subscriber.close()


def changes(truth: bytes, since: int, until: int) -> list[State]:
    """Return the states within a time in which the best prices are others than before."""
    lines = msgspec.json.Decoder(State).decode_lines(truth)
    states = [state for state in lines if state.instrument == INSTRUMENT and state.venue_seq]
    return [
        after
        for before, after in pairwise(states)
        if since <= after.ts < until
        and (before.bids[:1], before.asks[:1]) != (after.bids[:1], after.asks[:1])
    ]


def waits_ms(states: Sequence[State], heard: Sequence[tuple[int, int]]) -> list[float]:
    """Return of each state how long after it something as new was heard."""
    found = [bisect_left(heard, (state.venue_seq, 0)) for state in states]
    return [
        (heard[at][1] - state.ts) / 1e6
        for state, at in zip(states, found, strict=True)
        if at < len(heard)
    ]


async def measure(venue: str, rate: float, depth: int, seconds: float) -> tuple[object, ...]:
    """Return a row of the table."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        # Not quite the round number: each state is another part of an interval.
        pace = f"--rate={rate * 1.03:g}"
        await system.start_simulator("--paced", pace, "--truth-levels=1", venues=[venue])
        for option in OPTIONS:
            given = (option, f"--instrument={INSTRUMENT}", f"--depth={depth}")
            await system.start_listener(venue, *given, name=option)
        ears = Ears([system.address(option) for option in OPTIONS])
        hearing = asyncio.create_task(ears.run())
        await asyncio.sleep(SETTLED_S)
        pids = [system.processes[option].pid for option in OPTIONS]
        since, before = clock.now_ns(), [usage(pid).cpu_s for pid in pids]
        await asyncio.sleep(seconds)
        until, after = clock.now_ns(), [usage(pid).cpu_s for pid in pids]
        await asyncio.sleep(SETTLED_S)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        ears.close()
        states = changes(system.truth_log.read_bytes(), since, until)
    waits = [waits_ms(states, heard) for heard in ears.heard]
    earlier = mean(late - early for early, late in zip(*waits, strict=False))
    return (
        venue,
        f"{rate:g}",
        len(states),
        *(quantile(sorted(one), share) for one in waits for share in (0.5, 0.9)),
        earlier,
        *((b - a) / seconds * 100 for a, b in zip(before, after, strict=True)),
    )


async def main(venues: Sequence[str], rates: Sequence[float], depth: int, seconds: float) -> None:
    say_machine()
    rows = [await measure(venue, rate, depth, seconds) for venue in venues for rate in rates]
    print_table(
        f"A changed best price at depth {depth}, from the venue to the bus (ms); CPU (% of a core)",
        (
            "venue",
            "changes/s",
            "best changed",
            "with p50",
            "p90",
            "without p50",
            "p90",
            "earlier by",
            "CPU with",
            "without",
        ),
        rows,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venues", nargs="*")
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rates", default="10,100")
    given = parser.parse_args()
    names = given.venues or [name for name in venue_names() if find_venue(name).best_prices]
    rates = [float(rate) for rate in given.rates.split(",")]
    asyncio.run(main(names, rates, given.depth, given.seconds))
