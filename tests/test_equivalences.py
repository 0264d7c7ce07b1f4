"""One market in several quotes: merged for who asks, each level by a live conversion, or out."""

from __future__ import annotations

from typing import Final

import pytest
from dragonfly_client import (
    Bbo,
    Book,
    InvalidRequestError,
    Liquidity,
    NotFoundError,
    State,
    VenueFeed,
)
from oracle import Oracle
from system import UNTIL_CLEARED_S, VENUES, Bot, System, eventually, patient_client
from truth import Truth

CONVERTED: Final = "BTC-USD+BTC-USDT*USDT-USD"
PAR: Final = "BTC-USD+BTC-USDT@1"
SCALED: Final = "DOGE-USD+1000DOGE-USD/1000"
NAMED: Final = "BTC-ANYUSD"
MARKETS: Final = (CONVERTED, PAR, SCALED, NAMED)
DECLARED: Final = (f"--equivalent={NAMED}={CONVERTED}",)
MOVING: Final = ("--rate=20", "--instrument=BTC-USDT", "--instrument=USDT-USD")
NO_CONVERSION: Final = "no live USDT-USD to convert by"


def feeds_of(book: Book, instrument: str) -> list[VenueFeed]:
    return [feed for feed in book.venues if feed.instrument == instrument]


def is_whole(book: Book) -> bool:
    """Say whether all venues are live in it with each instrument."""
    live = [feed for feed in book.venues if feed.state is State.LIVE]
    return len(live) == len(book.venues) == 2 * len(VENUES)


async def test_what_is_taken_for_one_market_is_the_merge_of_what_was_converted(
    system: System,
) -> None:
    await system.start(simulator=MOVING, aggregator=DECLARED, gateway=DECLARED)
    async with Bot(system.gateway_address, *MARKETS, "BTC-USD") as bot:
        await bot.until(
            lambda _: len(bot.latest) == 5 and all(is_whole(bot.latest[name]) for name in MARKETS),
            what="all are whole",
        )
        closed = len(bot.books)
        await bot.until(lambda _: len(bot.books) > closed + 300, what="further books")
        async with patient_client(system.gateway_address) as client:
            views = [
                await client.get_bbo(CONVERTED),
                await client.get_liquidity(CONVERTED),
                await client.get_book(NAMED, depth=3),
            ]
        followed = await system.subscriptions()
    oracle = Oracle(Truth.from_file(system.truth_log), names={NAMED: CONVERTED})
    for instrument in (*MARKETS, "BTC-USD"):
        violation = oracle.first_violation(bot.of(instrument))
        assert violation is None, str(violation)
    bbo, liquidity, cut = views
    assert isinstance(bbo, Bbo)
    assert isinstance(liquidity, Liquidity)
    oracle.judge(bbo)
    oracle.judge(liquidity)
    assert isinstance(cut, Book)
    assert (cut.instrument, len(cut.bids)) == (NAMED, 3)
    # Each market showed levels of all that it is made of.
    for market, names in (
        (CONVERTED, {"BTC-USD", "BTC-USDT"}),
        (NAMED, {"BTC-USD", "BTC-USDT"}),
        (SCALED, {"DOGE-USD", "1000DOGE-USD"}),
    ):
        shown = {one.instrument for book in bot.of(market) for one in (*book.bids, *book.asks)}
        assert shown == names
    # Who asks for an instrument has that instrument, as ever.
    for book in bot.of("BTC-USD"):
        assert not book.conversions
        assert {level.instrument for level in (*book.bids, *book.asks)} <= {""}
    assert all("+" not in name for names in followed.values() for name in names)


async def test_what_has_no_live_conversion_is_out_with_the_reason_and_comes_back(
    system: System,
) -> None:
    await system.start(simulator=MOVING, listener=("--list-interval-s", "1"))
    async with Bot(system.gateway_address, CONVERTED) as bot:
        await bot.until(is_whole, what="all venues live")
        for venue in VENUES:
            await system.fault(venue, "halt", UNTIL_CLEARED_S, "USDT-USD")

        def is_without(book: Book) -> bool:
            return {feed.reason for feed in feeds_of(book, "BTC-USDT")} == {NO_CONVERSION}

        book = await bot.until(is_without, what="no conversion")
        assert all(feed.state is State.LIVE for feed in feeds_of(book, "BTC-USD"))
        assert {level.instrument for level in book.bids} == {"BTC-USD"}
        (by,) = book.conversions
        assert (by.bid, by.ask) == (None, None)
        assert {feed.state for feed in by.venues} == {State.HALTED}
        await system.clear()
        await bot.until(is_whole, what="all venues are back")
    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books)
    assert violation is None, str(violation)


async def test_what_is_no_equivalence_is_refused_in_one_sentence(system: System) -> None:
    await system.start(simulator=("--rate", "0"), together=True)
    async with patient_client(system.gateway_address) as client:
        with pytest.raises(InvalidRequestError, match=r"write BTC-USDT\*USDT-USD to convert by"):
            await client.get_book("BTC-USD+BTC-USDT")
        with pytest.raises(InvalidRequestError, match=r"write BTC-USD\+BTC-USDT@1$"):
            await client.get_book("BTC-USD+BTC-USDT@1.0")
        with pytest.raises(NotFoundError, match="no venue lists BTC-USDX"):
            await anext(client.book("BTC-USD+BTC-USDX@1"))

        async def left() -> bool:
            return all(names == set() for names in (await system.subscriptions()).values())

        await eventually(left, what="nothing is followed for who was refused")
