"""Replicas share instruments, and no bot notices when one joins, leaves or dies.

Each replica publishes at an address of its own, and is told all addresses there may ever be: a
host name of several addresses does the same among containers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest
from dragonfly_client import Book
from dragonfly_common.assignment import owners
from oracle import Oracle
from replicated import Replicated
from system import VENUES, Bot, System, live_venues, outages
from truth import Truth

INSTRUMENTS = ("BTC-USD", "ETH-BTC", "ETH-USD", "LTC-BTC", "LTC-USD", "XRP-BTC", "XRP-USD")
STATES = 12


@pytest.fixture
def system(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Replicated]:
    with Replicated(tmp_path) as running:
        yield running
    request.node.add_report_section("teardown", "logs of the processes", running.logs())


def moved(service: str, before: Iterable[int], after: Iterable[int]) -> int:
    """Return how many instruments a replica that goes on existing has to hand over."""
    there = [[f"{service}-{number}" for number in numbers] for numbers in (before, after)]
    owned = [[owners(instrument, names, 1)[0] for instrument in INSTRUMENTS] for names in there]
    return sum(old != new and old in there[1] for old, new in zip(*owned, strict=True))


async def all_live(bot: Bot, *, after: int = 0) -> None:
    """Wait until each of the bot's instruments is live at all venues in a book after `after`."""
    awaited = set(bot.instruments)

    def whole(book: Book) -> bool:
        if len(bot.books) > after and live_venues(book) == set(VENUES):
            awaited.discard(book.instrument)
        return not awaited

    await bot.until(whole, what="all instruments live at all venues")


def assert_right(system: System, bot: Bot) -> None:
    truth = Truth.from_file(system.truth_log)
    for instrument in INSTRUMENTS:
        violation = Oracle(truth).first_violation(bot.of(instrument))
        assert violation is None, str(violation)


async def test_no_bot_notices_when_replicas_come_and_go(system: Replicated) -> None:
    await system.start_all(instruments=INSTRUMENTS)
    async with Bot(system.gateway_address, *INSTRUMENTS) as bot:
        await all_live(bot)
        begin = len(bot.books)

        await asyncio.gather(
            *map(system.add, ("listener-binance-2", "listener-binance-3", "aggregator-2"))
        )
        moves = moved("listener-binance", [1], [1, 2, 3]) + moved("aggregator", [1], [1, 2])
        assert moves > 1
        await system.handed_over(moves)

        # A rolling restart is nothing else. The younger aggregator leaves: what it had goes back to
        # one whose epoch is older.
        for name in ("listener-binance-1", "aggregator-2", "listener-binance-3"):
            await system.stop(name)
        received = len(bot.books)
        await bot.until(
            lambda _: len(bot.books) > received + 5 * len(INSTRUMENTS),
            what="books go on",
        )
        assert not bot.events
    assert outages(bot.books, begin) == []
    assert_right(system, bot)


async def test_the_others_take_over_from_one_that_is_killed(system: Replicated) -> None:
    await system.start_all(instruments=INSTRUMENTS)
    async with Bot(system.gateway_address, *INSTRUMENTS) as bot:
        await all_live(bot)
        await asyncio.gather(*map(system.add, ("listener-binance-2", "aggregator-2")))
        await system.handed_over(
            moved("listener-binance", [1], [1, 2]) + moved("aggregator", [1], [1, 2])
        )
        for name in ("listener-binance-1", "aggregator-1"):
            system.processes[name].kill()
            await all_live(bot, after=len(bot.books) + len(INSTRUMENTS))
        assert not bot.events
    assert_right(system, bot)


async def test_a_hot_standby_misses_nothing(system: Replicated) -> None:
    await system.start_all("--redundancy=2", rate="0", instruments=INSTRUMENTS[:1])
    async with Bot(system.gateway_address, *INSTRUMENTS[:1]) as bot:
        await system.add("listener-binance-2")
        await all_live(bot)
        await system.processes["listener-binance-2"].event("feed live")
        begin = len(bot.books)
        await each_state_is_seen(system, bot)
        system.processes["listener-binance-1"].kill()
        await each_state_is_seen(system, bot)
    assert outages(bot.books, begin) == []


async def each_state_is_seen(system: System, bot: Bot) -> None:
    """Move the market on as soon as the bot has Binance's last state, so many times."""
    for _ in range(STATES):
        await system.step()
        truth = Truth.from_file(system.truth_log)
        newest = truth.changes("binance", INSTRUMENTS[0], depth=10)[-1]
        await bot.until(partial(is_at, newest), what=f"{newest} of Binance")


def is_at(venue_seq: int, book: Book) -> bool:
    return any((feed.venue, feed.venue_seq) == ("binance", venue_seq) for feed in book.venues)
