"""A venue that cannot be reached is said to be so, and costs the others nothing."""

from __future__ import annotations

from dragonfly_client import State
from oracle import Oracle
from system import VENUES, Bot, System, live_venues
from truth import Truth

NOBODY = "127.0.0.1:9"


async def test_an_unreachable_venue_is_down_with_its_reason(system: System) -> None:
    await system.start_simulator("--rate", "20")
    reachable = set(VENUES) - {"binance"}
    # The last of two equal options counts.
    await system.start_listener("binance", f"--ws-url=ws://{NOBODY}", f"--rest-url=http://{NOBODY}")
    for venue in reachable:
        await system.start_listener(venue)
    await system.start_aggregator()
    await system.start_gateway()
    await system.listed(sorted(reachable))

    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        book = await bot.until(
            lambda book: live_venues(book) == reachable and len(book.venues) == len(VENUES),
            what="the reachable venues live",
        )
        book = await bot.until(
            lambda book: any(feed.state is State.DOWN for feed in book.venues),
            what="binance down",
        )

    (down,) = [feed for feed in book.venues if feed.venue == "binance"]
    assert NOBODY in down.reason
    assert system.processes["listener-binance"].running
    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books)
    assert violation is None, str(violation)
