"""What is dead leaves every book at once; what comes back is whole again.

The promises are 1 s for a killed process, 1.5 s for a frozen listener, and 2 s to be whole after a
restart. `bench/recovery.py` measures them; here only a broken recovery fails, and not a busy
machine.
"""

from __future__ import annotations

import signal

from oracle import Oracle
from system import VENUES, Bot, System, live_venues
from truth import Truth

RATE = ("--rate", "20")


async def all_live(bot: Bot) -> None:
    await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")


def assert_right(system: System, bot: Bot) -> None:
    oracle = Oracle(Truth.from_file(system.truth_log))
    violation = oracle.first_violation(bot.books)
    assert violation is None, str(violation)
    assert oracle.judged > 0


async def test_a_killed_listener(system: System) -> None:
    await system.start(simulator=RATE)
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        for venue in VENUES:
            await all_live(bot)
            system.processes[f"listener-{venue}"].kill()
            left = set(VENUES) - {venue}
            gone = await bot.until(
                lambda book, left=left: live_venues(book) == left,  # type: ignore[misc]
                what=f"{venue} gone, and it alone",
            )
            assert venue not in {level.venue for level in (*gone.bids, *gone.asks)}

            await system.restart(f"listener-{venue}")
        await all_live(bot)
    assert_right(system, bot)


async def test_a_frozen_listener(system: System) -> None:
    await system.start(simulator=RATE)
    listener = system.processes["listener-binance"]
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await all_live(bot)

        listener.signal(signal.SIGSTOP)
        await bot.until(lambda book: "binance" not in live_venues(book), what="binance gone")

        listener.signal(signal.SIGCONT)
        await all_live(bot)
    assert_right(system, bot)


async def test_a_killed_aggregator(system: System) -> None:
    await system.start(simulator=RATE)
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await all_live(bot)
        epoch = bot.books[-1].epoch

        system.processes["aggregator"].kill()
        await bot.until(lambda book: not book.live, what="nothing live")

        await system.restart("aggregator")
        await all_live(bot)
        assert bot.books[-1].epoch > epoch
    assert_right(system, bot)


async def test_a_killed_gateway(system: System) -> None:
    await system.start(simulator=RATE)
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await all_live(bot)

        system.processes["gateway"].kill()
        await system.restart("gateway")
        received = len(bot.books)
        await bot.until(
            lambda book: len(bot.books) > received and live_venues(book) == set(VENUES),
            what="all venues live through the new gateway",
        )
        assert [type(event).__name__ for event in bot.events] == ["Disconnected", "Reconnected"]
    assert_right(system, bot)


async def test_killed_all_at_once(system: System) -> None:
    await system.start(simulator=RATE)
    names = [name for name in system.processes if name != "simulator"]
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await all_live(bot)
        for name in names:
            system.processes[name].kill()

        received = len(bot.books)
        for name in names:
            await system.restart(name)
        await bot.until(
            lambda book: len(bot.books) > received and live_venues(book) == set(VENUES),
            what="all venues live again",
        )
    assert_right(system, bot)
