"""Every venue that is installed passes every case."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_conformance import Rig, Violation, cases, examine
from dragonfly_venues.registry import find_venue, venue_names
from venue_simulator.book import lie
from venue_simulator.broadcast import Broadcast

SOME: Final = ("binance", "kraken", "okx")
"""Examined without `--long`: the simulated venues' clocks run fast, and a machine that is busy
with other tests keeps one of sixteen waiting for too long."""


@pytest.fixture(scope="module")
def troubles(pytestconfig: pytest.Config) -> dict[str, dict[str, str]]:
    """Return what is wrong by venue and case; several are examined at a time: they mostly wait."""
    places = asyncio.Semaphore(8)
    venues = venue_names() if pytestconfig.getoption("--long") else SOME

    async def one(venue: str) -> dict[str, str]:
        async with places:
            return {verdict.case: verdict.trouble async for verdict in examine(venue)}

    async def every() -> list[dict[str, str]]:
        return await asyncio.gather(*map(one, venues))

    return dict(zip(venues, asyncio.run(every()), strict=True))


@pytest.mark.parametrize("venue", venue_names())
def test_a_venue_passes_every_case(venue: str, troubles: dict[str, dict[str, str]]) -> None:
    if venue not in troubles:
        pytest.skip("all venues are examined with --long, by a machine that does nothing else")
    meant = {case for case in cases.CASES if cases.concerns(case, find_venue(venue))}
    assert set(troubles[venue]) == meant
    assert not {case: trouble for case, trouble in troubles[venue].items() if trouble}


async def test_by_fix_too() -> None:
    verdicts = [each async for each in examine("binance", protocol="fix")]
    meant = {case for case in cases.CASES if cases.concerns(case, find_venue("binance", "fix"))}
    assert {each.case for each in verdicts} == meant > {"skipped_number", "id_in_use"}
    assert not {each.case: each.trouble for each in verdicts if each.trouble}


async def test_a_venue_that_lies_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Broadcast.publish

    def publish(self: Broadcast, state, kinds) -> bool:  # type: ignore[no-untyped-def]
        return honest(self, lie(state), kinds)

    monkeypatch.setattr(Broadcast, "publish", publish)
    (verdict,) = [each async for each in examine("bitstamp", ["updates"])]
    assert "where the truth is" in verdict.trouble


async def test_who_fails_a_case_is_examined_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(rig: Rig) -> None:
        raise Violation("no")

    monkeypatch.setitem(cases.CASES, "gap", fails)
    verdicts = [each async for each in examine("okx", ["gap", "first_book"])]
    assert [(each.case, each.trouble) for each in verdicts] == [("gap", "no"), ("first_book", "")]


async def test_a_venue_that_nobody_has_is_named() -> None:
    with pytest.raises(ConfigError, match="'mtgox' is not a venue"):
        [_ async for _ in examine("mtgox")]
