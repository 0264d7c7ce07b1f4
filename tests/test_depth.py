"""Books deeper than whole tops go: each venue says how deep it is proven, and is right so far."""

from __future__ import annotations

import pytest
from dragonfly_client import Book
from dragonfly_venues.registry import find_venue, venue_names
from oracle import Oracle
from system import Bot, System
from truth import Truth
from venue_simulator.catalogue import RESTING

TOGETHER = 8
"""Venues in one book at most."""
GROUPS = [venue_names()[at : at + TOGETHER] for at in range(0, len(venue_names()), TOGETHER)]
INSTRUMENTS = ("ETH-BTC", "BTC-USD", RESTING)
UPDATES_PER_S = 100
"""Of an instrument at all venues."""
BOOKS = 200
NOTICED_BY_ITSELF = ("duplicate", "malformed")
ONE_FRAME = ("gap", "reorder", *NOTICED_BY_ITSELF)


def depths(book: Book) -> dict[str, int]:
    return {feed.venue: feed.depth for feed in book.venues}


def least_depth(name: str, depth: int) -> int:
    """Return how deep a venue's books are at least, of `depth` that are asked for."""
    venue = find_venue(name).at(depth)
    levels = [depth if venue.levels is None else venue.levels]
    if venue.snapshots is not None and venue.snapshots.levels is not None:
        # Of what REST proves some are taken away; then it says how many are left.
        levels.append(venue.snapshots.levels * 3 // 4)
    return min(depth, *levels)


@pytest.mark.parametrize("venues", GROUPS, ids="-".join)
@pytest.mark.parametrize("depth", [50, 100])
async def test_a_deep_book_is_the_merge_as_deep_as_it_says(
    system: System, depth: int, venues: tuple[str, ...]
) -> None:
    option = [f"--depth={depth}"]
    rate = UPDATES_PER_S / len(venues)
    await system.start(
        simulator=(f"--rate={rate:g}", "--seed", "5", f"--truth-levels={depth}"),
        venues=venues,
        listener=option,
        aggregator=option,
        gateway=option,
        together=True,
    )
    least = {venue: least_depth(venue, depth) for venue in venues}
    cut = venues[0]

    def is_whole(book: Book) -> bool:
        said = depths(book)
        return all(said.get(venue, 0) >= least[venue] for venue in venues)

    async with Bot(system.gateway_address, *INSTRUMENTS) as bot:
        await bot.until(
            lambda _: (
                len(bot.latest) == len(INSTRUMENTS) and all(map(is_whole, bot.latest.values()))
            ),
            what=f"{depth} levels of each venue",
        )
        closed = len(bot.books)
        for venue in venues:
            for kind in ONE_FRAME if find_venue(venue).at(depth).loss_shows else NOTICED_BY_ITSELF:
                await system.fault(venue, kind)
        await system.fault(cut, "reset")
        await bot.until(lambda book: depths(book)[cut] == 0, what=f"{cut} out")
        await bot.until(
            lambda book: is_whole(book) and len(bot.books) > closed + BOOKS, what="all are back"
        )
    assert all(len(book.bids) <= depth and len(book.asks) <= depth for book in bot.books)
    assert any(len(book.bids) == len(book.asks) == depth for book in bot.books)
    oracle = Oracle(Truth.from_file(system.truth_log), depth)
    for instrument in INSTRUMENTS:
        violation = oracle.first_violation(bot.of(instrument))
        assert violation is None, str(violation)
    assert oracle.judged > BOOKS
