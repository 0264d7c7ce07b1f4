"""Recorded markets through real processes: every book a bot receives is the merge of the truth."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from dragonfly_client import Level
from oracle import Oracle, Truth
from system import VENUES, Bot, System
from venue_simulator.recordings import Recording, load_recordings

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
SPEED = 5
LONGEST_RECORDING_S = 30

pytestmark = pytest.mark.captures


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    if not CAPTURES.is_dir():
        pytest.skip(f"no recorded captures at {CAPTURES}")
    return load_recordings(CAPTURES)


async def test_every_book_is_the_merge_of_the_truth(
    system: System, recordings: list[Recording]
) -> None:
    instruments = sorted({recording.instrument for recording in recordings})
    options = [f"--instrument={name}" for name in instruments]
    await system.start(
        simulator=("--captures", str(CAPTURES), "--speed", str(SPEED)), listener=options
    )
    heard: defaultdict[str, set[str]] = defaultdict(set)
    async with Bot(system.gateway_address, *instruments) as bot:
        last = {(one.venue, one.instrument): one.states[-1].venue_seq for one in recordings}

        def ended() -> bool:
            return all(seq <= bot.newest.get(name, 0) for name, seq in last.items())

        await bot.until(
            lambda _: ended(), within_s=3 * LONGEST_RECORDING_S / SPEED, what="the last states"
        )

    oracle = Oracle(Truth(system.truth_log.read_bytes().splitlines()))
    for instrument in instruments:
        books = bot.of(instrument)
        violation = oracle.first_violation(books)
        assert violation is None, str(violation)
        for book in books:
            heard[instrument] |= {level.venue for level in book.bids}
    assert oracle.judged == len(bot.books)
    assert {(venue, name) for name, venues in heard.items() for venue in venues} == set(last)


async def test_the_truth_is_what_was_recorded(system: System, recordings: list[Recording]) -> None:
    """The log that all else is judged by: its states are those of the recording."""
    await system.start_simulator("--captures", str(CAPTURES), "--speed", str(SPEED))
    truth = Truth(system.truth_log.read_bytes().splitlines())
    for recording in recordings:
        first = recording.states[0]
        levels = truth.levels(recording.venue, recording.instrument, first.venue_seq, 10)
        assert levels is not None, recording.instrument
        assert levels[0] == [Level(recording.venue, float(p), float(a)) for p, a in first.bids[:10]]
    assert {recording.venue for recording in recordings} == set(VENUES)
