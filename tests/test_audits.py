"""A venue whose books are quietly wrong: its listener finds out, and the bot is told."""

from __future__ import annotations

from dragonfly_client import Book, State, VenueFeed
from oracle import Oracle
from system import UNTIL_CLEARED_S, VENUES, Bot, System, live_venues
from truth import Truth

MORE = 20

CAUSES = {
    "binance": "resyncing: audit (the book at ",
    "bitstamp": "resyncing: audit (bid 1 of the book at ",
    "kraken": "resyncing: checksum (",
}


def feed_of(book: Book, venue: str) -> VenueFeed:
    return next(feed for feed in book.venues if feed.venue == venue)


async def test_a_book_that_lies_is_found_out_and_lowers_the_score(system: System) -> None:
    await system.start(
        simulator=("--rate", "20"), listener=("--audit-interval-s", "1"), together=True
    )
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await bot.until(
            lambda book: (
                all(feed.score == feed.score_total == 1.0 for feed in book.venues)
                and live_venues(book) == set(VENUES)
            ),
            what="all venues audited, and right",
        )

        told = len(bot.books)
        for venue in VENUES:
            await system.fault(venue, "lying", UNTIL_CLEARED_S)
        for venue, cause in CAUSES.items():

            def found(book: Book, venue: str = venue, cause: str = cause) -> bool:
                feed = feed_of(book, venue)
                return feed.state is State.SYNCING and feed.reason.startswith(cause)

            if not any(found(book) for book in bot.books[told:]):
                await bot.until(found, what=f"{venue} found out")
            finding = next(book for book in bot.books[told:] if found(book))
            score = feed_of(finding, venue).score
            assert score is not None
            assert score < 1.0
            assert venue not in {level.venue for level in (*finding.bids, *finding.asks)}

        await system.clear()
        cleared = len(bot.books)
        await bot.until(
            lambda book: len(bot.books) > cleared + MORE and live_venues(book) == set(VENUES),
            what="all venues live after the lie",
        )
        healed = len(bot.books)
        last = await bot.until(lambda book: len(bot.books) > healed + MORE, what="more books")
        assert all(0.0 < (feed.score or 0.0) < 1.0 for feed in last.venues)
    oracle = Oracle(Truth.from_file(system.truth_log))
    violation = oracle.first_violation(bot.books[healed:])
    assert violation is None, str(violation)
