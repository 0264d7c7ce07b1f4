"""A market that rests: its first book comes from REST at each beginning, and nothing goes back."""

from __future__ import annotations

from dragonfly_client import Book, State, VenueFeed
from oracle import Oracle
from system import UNTIL_CLEARED_S, VENUES, Bot, System, live_venues
from truth import Truth
from venue_simulator.catalogue import RESTING


def is_whole(book: Book) -> bool:
    return live_venues(book) == set(VENUES)


def feed_of(book: Book, venue: str) -> VenueFeed:
    return next(feed for feed in book.venues if feed.venue == venue)


def awaits_rest(book: Book) -> bool:
    feed = feed_of(book, "binance")
    return feed.state is State.SYNCING and "REST gives none" in feed.reason


async def test_a_market_that_rests_is_whole_after_each_beginning(system: System) -> None:
    await system.start(simulator=("--rate", "20"))
    async with Bot(system.gateway_address, RESTING) as bot:
        await bot.until(is_whole, what="all venues live")
        for name in ("listener-binance", "listener-bitstamp"):
            system.processes[name].kill()
            await bot.until(lambda book: not is_whole(book), what=f"{name} out")
            await system.restart(name)
            await bot.until(is_whole, what=f"{name} back")
        # Kept away until the bot has seen it: what is back at once, who stands still never sees.
        await system.fault("bitstamp", "not_accepting", UNTIL_CLEARED_S)
        await system.fault("bitstamp", "reset")
        await bot.until(lambda book: not is_whole(book), what="bitstamp out")
        await system.clear()
        await bot.until(is_whole, what="bitstamp back")
    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books)
    assert violation is None, str(violation)


async def test_what_keeps_its_first_book_away_is_said(system: System) -> None:
    await system.start(simulator=("--rate", "20"))
    await system.fault("binance", "rest_429", UNTIL_CLEARED_S)
    async with Bot(system.gateway_address, RESTING) as bot:
        book = await bot.until(awaits_rest, what="the reason why binance has no book")
        assert "429" in feed_of(book, "binance").reason
        await system.clear()
        await bot.until(is_whole, what="all venues live")
