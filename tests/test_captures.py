"""Recorded markets through all layers: every book a bot receives is the merge of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from dragonfly_client import Level
from oracle import Oracle
from system import VENUES as SHORT
from system import Bot, System
from truth import Truth
from venue_simulator.book import TextLevel
from venue_simulator.rebuilding import Recording
from venue_simulator.recordings import load_recordings
from venue_simulator.venues import VENUES

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
SPEED = 8
DEPTH = 10

pytestmark = pytest.mark.needs(CAPTURES)


def levels(venue: str, texts: Sequence[TextLevel]) -> tuple[Level, ...]:
    return tuple(Level(venue, float(price), float(amount)) for price, amount in texts[:DEPTH])


def merged(instrument: str, recordings: list[Recording]) -> tuple[tuple[Level, ...], ...]:
    """Return what the last states of an instrument make together, of all venues."""
    ends = [(one.venue, one.states[-1]) for one in recordings if one.instrument == instrument]
    bids = [level for venue, end in ends for level in levels(venue, end.bids)]
    asks = [level for venue, end in ends for level in levels(venue, end.asks)]
    bids.sort(key=lambda level: -level.price)
    asks.sort(key=lambda level: level.price)
    return tuple(bids[:DEPTH]), tuple(asks[:DEPTH])


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return load_recordings(CAPTURES)


async def test_every_book_is_the_merge_of_the_truth(
    system: System, recordings: list[Recording], *, long: bool
) -> None:
    """With `--long` of all venues, otherwise of those that each system of the tests has."""
    if not long:
        recordings = [one for one in recordings if one.venue in SHORT]
    last = {one.instrument: merged(one.instrument, recordings) for one in recordings}
    # A recording plays from its first subscriber on, and nobody subscribes before the bot asks.
    await system.start(
        simulator=("--captures", str(CAPTURES), "--speed", str(SPEED)),
        venues=tuple(sorted({one.venue for one in recordings})),
        gateway=(f"--max-instruments={len(last)}",),
        together=True,
    )
    async with Bot(system.gateway_address, *last) as bot:

        def ended() -> bool:
            shown = {name: (book.bids, book.asks) for name, book in bot.latest.items()}
            return shown == last

        await bot.until(
            lambda _: ended(),
            what="the last state of every recording",
        )

    oracle = Oracle(Truth.from_file(system.truth_log))
    for instrument in last:
        violation = oracle.first_violation(bot.of(instrument))
        assert violation is None, str(violation)
    # How many states between the first and the last a bot gets depends on the machine.
    assert oracle.judged == len(bot.books) > len(last)


async def test_the_truth_is_what_was_recorded(system: System, recordings: list[Recording]) -> None:
    """The log that all else is judged by begins with the first recorded states."""
    await system.start_simulator("--captures", str(CAPTURES), venues=tuple(VENUES))
    truth = Truth.from_file(system.truth_log)
    for one in recordings:
        first = one.states[0]
        assert truth.levels(one.venue, one.instrument, first.venue_seq, DEPTH) == (
            list(levels(one.venue, first.bids)),
            list(levels(one.venue, first.asks)),
        )
    # Of Deribit options were recorded, and no spot market.
    recorded = {folder.name for folder in CAPTURES.iterdir()} - {"deribit"}
    assert {one.venue for one in recordings} == recorded & set(VENUES)
