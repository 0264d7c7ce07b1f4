"""Nothing flows that nobody asked for, and whoever asks gets it at once.

The promise to a bot that joins a quiet market is 300 ms; `bench/recovery.py` measures it. Here only
a missing answer fails, and not a busy machine.
"""

from __future__ import annotations

import pytest
from dragonfly_client import NotFoundError, State
from oracle import Oracle
from system import UNTIL_CLEARED_S, VENUES, Bot, System, eventually, live_venues, patient_client
from truth import Truth

LINGER = ("--linger-s", "0.2")


async def test_a_quiet_market_has_a_first_book(system: System) -> None:
    await system.start(simulator=("--rate", "0"), together=True)
    async with Bot(system.gateway_address, "ETH-BTC") as first:
        await first.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")
        async with Bot(system.gateway_address, "ETH-BTC") as late:
            book = await late.until(lambda _: True, what="a first book")

    assert live_venues(book) == set(VENUES)
    assert (book.epoch, book.seq) == (first.books[-1].epoch, first.books[-1].seq)


async def test_an_instrument_never_asked_for_before(system: System) -> None:
    await system.start(simulator=("--rate", "20"), together=True)
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        everywhere = await bot.instruments_everywhere()
    (name, *_) = [name for name in everywhere if name not in {"ETH-BTC", "BTC-USD"}]

    async with Bot(system.gateway_address, name) as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what=f"{name} live")

    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books)
    assert violation is None, str(violation)


async def test_an_instrument_that_no_venue_lists(system: System) -> None:
    await system.start(simulator=("--rate", "20"), together=True)
    async with patient_client(system.gateway_address) as client:
        with pytest.raises(NotFoundError, match="NOPE-USD"):
            await anext(client.book("NOPE-USD"))
        with pytest.raises(NotFoundError, match=r"no venue lists XBT-USD: did you mean BTC-USD\?"):
            await anext(client.book("XBT-USD"))


async def test_a_coin_that_is_listed_while_all_runs_is_served(system: System) -> None:
    await system.start(simulator=("--rate", "20"), listener=("--list-interval-s", "1"))
    async with patient_client(system.gateway_address) as client:
        with pytest.raises(NotFoundError):
            await client.get_book("NEW-USD")
        for venue in VENUES:
            await system.fault(venue, "list", instrument="NEW-USD")

        async def served() -> bool:
            try:
                return live_venues(await client.get_book("NEW-USD")) == set(VENUES)
            except NotFoundError:
                return False

        await eventually(served, what="the new coin")

    async with Bot(system.gateway_address, "NEW-USD") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")


@pytest.mark.parametrize("instrument", ["ETH-BTC", None])
async def test_a_halt_takes_the_venue_out_of_the_book_and_its_end_brings_it_back(
    system: System, instrument: str | None
) -> None:
    every_second = ("--list-interval-s", "1")
    await system.start(simulator=("--rate", "20"), listener=every_second, together=True)
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")
        for venue in VENUES:
            await system.fault(venue, "halt", UNTIL_CLEARED_S, instrument=instrument)
        book = await bot.until(
            lambda book: all(feed.state is State.HALTED for feed in book.venues), what="the halts"
        )
        assert (book.live, book.bids, book.asks) == (False, (), ())
        assert {feed.reason.partition(" has halted ")[0] for feed in book.venues} == set(VENUES)
        await system.clear()
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all live again")
    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books)
    assert violation is None, str(violation)


async def test_the_last_bot_to_leave_ends_the_feed(system: System) -> None:
    await system.start(
        simulator=("--rate", "20"), listener=LINGER, aggregator=LINGER, gateway=LINGER
    )

    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")
        followed = await system.subscriptions()
        assert {venue: followed[venue] for venue in VENUES} == {
            venue: {"ETH-BTC"} for venue in VENUES
        }

    async def nobody() -> bool:
        return not any((await system.subscriptions()).values())

    await eventually(nobody, what="the venues unsubscribed")

    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all live again")


async def test_an_instrument_of_one_venue_says_so_of_the_others(system: System) -> None:
    await system.start(simulator=("--rate", "20"), together=True)
    async with patient_client(system.gateway_address) as client:
        listed = await client.instruments()
    name, venue = next((one.instrument, one.venues[0]) for one in listed if len(one.venues) == 1)

    async with Bot(system.gateway_address, name) as bot:
        book = await bot.until(lambda book: live_venues(book) == {venue}, what=f"{name} live")
    states = {feed.venue: feed.state for feed in book.venues if feed.venue != venue}
    assert set(states.values()) == {State.UNKNOWN}
