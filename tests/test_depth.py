"""Books deeper than whole tops go: each venue says how deep it is proven, and is right so far."""

from __future__ import annotations

import pytest
from dragonfly_client import Book
from oracle import Oracle
from system import Bot, System
from truth import Truth
from venue_simulator.catalogue import RESTING

VENUES = ("binance", "bitstamp", "kraken", "kucoin", "okx")
INSTRUMENTS = ("ETH-BTC", "BTC-USD", RESTING)
BOOKS = 200
FAULTS = (
    "--fault=binance gap at=3.0",
    "--fault=binance reorder at=4.0",
    "--fault=binance duplicate at=4.5",
    "--fault=binance malformed at=5.0",
    "--fault=binance close at=6.0",
    "--fault=kucoin gap at=3.5",
)


def depths(book: Book) -> dict[str, int]:
    return {feed.venue: feed.depth for feed in book.venues}


@pytest.mark.parametrize("depth", [50, 100])
async def test_a_deep_book_is_the_merge_as_deep_as_it_says(system: System, depth: int) -> None:
    option = [f"--depth={depth}"]
    await system.start(
        simulator=("--rate", "20", "--seed", "5", f"--truth-levels={depth}", *FAULTS),
        venues=VENUES,
        listener=option,
        aggregator=option,
        gateway=option,
    )
    # REST gives a hundred levels of KuCoin: of fewer than those are left, it says how many.
    least = dict.fromkeys(VENUES, depth) | {"kucoin": min(depth, 75)}

    def is_whole(book: Book) -> bool:
        said = depths(book)
        return all(said.get(venue, 0) >= least[venue] for venue in VENUES)

    async with Bot(system.gateway_address, *INSTRUMENTS) as bot:
        await bot.until(
            lambda _: (
                len(bot.latest) == len(INSTRUMENTS) and all(map(is_whole, bot.latest.values()))
            ),
            what=f"{depth} levels of each venue",
        )
        closed = len(bot.books)
        await system.fault("binance", "reset")
        await bot.until(lambda book: depths(book)["binance"] == 0, what="binance out")
        await bot.until(
            lambda book: is_whole(book) and len(bot.books) > closed + BOOKS, what="binance back"
        )
    assert all(len(book.bids) <= depth and len(book.asks) <= depth for book in bot.books)
    assert any(len(book.bids) == len(book.asks) == depth for book in bot.books)
    oracle = Oracle(Truth.from_file(system.truth_log), depth)
    for instrument in INSTRUMENTS:
        violation = oracle.first_violation(bot.of(instrument))
        assert violation is None, str(violation)
    assert oracle.judged > BOOKS
