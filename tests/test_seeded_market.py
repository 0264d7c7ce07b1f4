"""A seeded market at 100 updates a second and venue, with faults on: never a wrong view.

Runs for a few seconds; with `--long` for a full minute, and each fault again and again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from dragonfly_client import View
from oracle import Oracle
from patience import eventually
from system import VENUES, Bot, System, live_venues, patient_client
from truth import Truth

SHORT_S = 10.0
LONG_S = 60.0
AGAIN_S = 10
INSTRUMENTS = ("ETH-BTC", "BTC-USD")

# Staggered, so that each is seen alone and some overlap.
FAULTS = (
    "binance malformed at=2.0",
    "binance duplicate at=2.2",
    "binance reorder at=2.4",
    "binance gap at=2.6",
    "binance crossed at=3.0 for=0.5",
    "binance close at=4.0",
    "bitstamp reorder at=2.1",
    "bitstamp malformed at=2.5",
    "bitstamp duplicate at=2.9",
    "bitstamp crossed at=3.5",
    "bitstamp announced_close at=5.0 for=0.5",
    "bitstamp reset at=7.0",
    "kraken bad_checksum at=2.0",
    "kraken gap at=3.0",
    "kraken reorder at=4.0",
    "kraken duplicate at=5.0",
    "kraken malformed at=6.0",
    "kraken bad_checksum at=6.5 for=0.5 instrument=ETH-BTC",
    "kraken silence at=7.5 for=1.5",
    "binance mute at=7.0 for=1.0",
)


def again(fault: str, later_s: int) -> str:
    """Return the fault as it comes `later_s` seconds later."""
    return re.sub(r"at=([\d.]+)", lambda at: f"at={float(at[1]) + later_s}", fault)


async def keep(views: AsyncGenerator[View, None], kept: list[View]) -> None:
    async with aclosing(views):
        async for view in views:
            kept.append(view)  # noqa: PERF401 - one by one: this ends by being cancelled


@pytest.mark.parametrize("together", [False, True], ids=["processes", "one process"])
async def test_no_view_is_wrong_while_everything_fails(
    system: System, *, together: bool, long: bool
) -> None:
    duration_s = LONG_S if long else SHORT_S
    faults = [again(f, later) for f in FAULTS for later in range(0, int(duration_s) - 9, AGAIN_S)]
    await system.start(
        simulator=("--rate", "100", "--seed", "11", *(f"--fault={f}" for f in faults)),
        gateway=[f"--instrument={name}" for name in INSTRUMENTS],
        together=together,
    )
    bbos: list[View] = []
    liquidities: list[View] = []
    async with (
        patient_client(system.gateway_address) as client,
        Bot(system.gateway_address, "ETH-BTC") as bot,
        Bot(system.gateway_address, "BTC-USD") as other,
    ):
        collecting = [
            asyncio.create_task(keep(client.bbo(["ETH-BTC"]), bbos)),
            asyncio.create_task(keep(client.liquidity("ETH-BTC"), liquidities)),
        ]
        await asyncio.sleep(duration_s)
        received = (bot.books, other.books, bbos, liquidities)
        await eventually(
            lambda: all(len(views) > 10 * duration_s for views in received),
            "enough views of each kind",
        )
        for each in (bot, other):
            await each.until(lambda book: live_venues(book) == set(VENUES), what="all live again")
        for task in collecting:
            task.cancel()
        await asyncio.gather(*collecting, return_exceptions=True)

    truth = Truth.from_file(system.truth_log)
    oracle = Oracle(truth)
    for views in received:
        violation = oracle.first_violation(views)
        assert violation is None, str(violation)
    planned = {tuple(fault.split()[:2]) for fault in FAULTS}
    assert {(fault.venue, fault.kind) for fault in truth.faults} == planned


async def test_a_resync_that_falls_into_a_silence_ends_well(system: System) -> None:
    """The venue takes the new subscription, says nothing of it, and refuses it the second time."""
    await system.start(simulator=("--rate", "100"))
    async with Bot(system.gateway_address, "ETH-BTC") as bot:

        async def whole() -> None:
            await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")

        async def break_kraken() -> None:
            await system.fault("kraken", "bad_checksum")
            await bot.until(lambda book: "kraken" not in live_venues(book), what="kraken broken")

        await whole()
        await break_kraken()
        await whole()
        # From the second one on, the listener waits a little before it subscribes again.
        await break_kraken()
        await system.fault("kraken", "silence", seconds=2.7)
        await whole()

    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books)
    assert violation is None, str(violation)
