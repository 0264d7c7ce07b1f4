"""What every venue lists, from its own words to a bot: numbers, symbols, and what changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest
from dragonfly_client import NotFoundError, State, VenueFeed
from dragonfly_venues.registry import venue_names
from system import UNTIL_CLEARED_S, Bot, System, eventually, live_venues, patient_client
from venue_simulator.catalogue import CATALOGUE
from venue_simulator.venues import VENUES as SIMULATED

EVERY_VENUE: Final = tuple(name for name in venue_names() if name in SIMULATED)
WHOLE_LISTS: Final = ("binance", "binanceus", "bitstamp", "kraken", "kucoin", "okx")
"""Their lists keep what is halted, and tell increments and least orders of each market."""
EVERY_SECOND: Final = ("--list-interval-s", "1")


def why(feed: VenueFeed) -> tuple[State, str]:
    return feed.state, feed.reason


async def test_markets_are_told_as_the_venues_lists_have_them(system: System) -> None:
    await system.start(simulator=("--rate", "0"), venues=EVERY_VENUE, together=True)
    assets = {asset.instrument: asset for asset in CATALOGUE}
    async with patient_client(system.gateway_address) as client:
        assert all(not one.markets for one in await client.instruments())
        for venue in EVERY_VENUE:
            listed = await client.instruments(venue)
            assert listed.left_out == {venue: 0}
            names = {name for name, asset in assets.items() if asset.venue in (None, venue)}
            assert {one.instrument for one in listed} <= names
            whole = venue in WHOLE_LISTS
            assert len(listed) == len(names) or not whole
            for one in listed:
                (market,) = one.markets
                told = SIMULATED[venue].list_asset(assets[one.instrument])
                assert market.venue == venue
                assert market.symbol.upper() == told.symbol.upper()
                if whole:
                    assert market.tick == Decimal(told.tick), one
                    assert market.lot is not None, one
                    assert Decimal(told.lot) % market.lot == 0, one
                    assert market.min_amount or market.min_notional, one
                assert market.halted is not told.tradable
                assert bool(market.status) is market.halted
        (everywhere,) = await client.instruments(instrument="ETH-BTC")
        assert {market.venue for market in everywhere.markets} >= {*WHOLE_LISTS}
        with pytest.raises(NotFoundError, match="kraken does not list BNB-BTC: binance does"):
            await client.instruments("kraken", "BNB-BTC")


async def test_what_changes_of_a_list_is_a_state_with_its_reason(system: System) -> None:
    await system.start(
        simulator=("--rate", "20"), venues=WHOLE_LISTS, listener=EVERY_SECOND, together=True
    )
    async with patient_client(system.gateway_address) as client:
        async with Bot(system.gateway_address, "ETH-BTC") as bot:
            everywhere = set(WHOLE_LISTS)
            delisted = {(State.UNKNOWN, f"{venue} does not list ETH-BTC") for venue in WHOLE_LISTS}
            await bot.until(lambda book: live_venues(book) == everywhere, what="all venues live")

            for venue in WHOLE_LISTS:
                await system.fault(venue, "halt", UNTIL_CLEARED_S, instrument="ETH-BTC")
            book = await bot.until(
                lambda book: all(feed.state is State.HALTED for feed in book.venues), what="halts"
            )
            for feed in book.venues:
                assert feed.reason.startswith(f"{feed.venue} has halted ETH-BTC: "), feed

            async def told() -> bool:
                (one,) = await client.instruments(instrument="ETH-BTC")
                return all(market.halted and market.status for market in one.markets)

            await eventually(told, "the halts in the lists")
            await system.clear()
            await bot.until(lambda book: live_venues(book) == everywhere, what="all live again")

            for venue in WHOLE_LISTS:
                await system.fault(venue, "unknown_symbol", UNTIL_CLEARED_S, instrument="ETH-BTC")
            await bot.until(lambda book: set(map(why, book.venues)) == delisted, what="delistings")
            # Which says so itself, at once, of a market that its next list leaves out.
            by_itself = (State.HALTED, "kraken has halted ETH-BTC: delisted")
            assert by_itself in {why(feed) for book in bot.of("ETH-BTC") for feed in book.venues}
            await system.clear()
            await bot.until(lambda book: live_venues(book) == everywhere, what="all list it again")

        for venue in WHOLE_LISTS:
            await system.fault(venue, "list", instrument="NEW-USD")

        async def served() -> bool:
            try:
                return live_venues(await client.get_book("NEW-USD")) == everywhere
            except NotFoundError:
                return False

        await eventually(served, "the new coin")
