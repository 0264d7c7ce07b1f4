"""Executable prices end to end: each message is what the truth at the ids that it names costs.

The judge shares no code with the walk: it sorts fractions.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Final

from dragonfly_client import DragonflyClient, Executable, ExecutablePrice, FeeSource, State
from patience import patiently
from system import UNTIL_CLEARED_S, VENUES, Bot, System, live_venues, patient_client
from truth import Truth

FEES: Final = {"binance": 10.0, "bitstamp": 30.0, "kraken": 26.0}
MOVING: Final = ("--rate=50",)
DEPTH: Final = 10
SIZES: Final = (0.001, 1.0, 7.5, 40.0, 5000.0)
SPENT: Final = (0.01, 1.0, 1000.0)
Lots = Mapping[str, Decimal | None]

_UP: Final = Context(prec=12, rounding=ROUND_CEILING)
_DOWN: Final = Context(prec=12, rounding=ROUND_FLOOR)


def rounded(number: Fraction, context: Context) -> float:
    return float(context.divide(Decimal(number.numerator), Decimal(number.denominator)))


def judge(told: Executable, truth: Truth, lots: Lots, fees: Mapping[str, float]) -> None:
    """Compute an answer anew from what the venues' books truly were, and compare all of it."""
    sign = 1 if told.side == "buy" else -1
    levels = []
    best: list[list[float]] = [[], []]
    live = [feed for feed in told.venues if feed.state is State.LIVE]
    for feed in live:
        true = truth.levels(
            feed.venue, told.instrument, feed.venue_seq, feed.depth or DEPTH, feed.book_seq
        )
        assert true is not None, f"{feed.venue} never was at {feed.venue_seq}"
        for side, of_side in zip(best, true, strict=True):
            side += [level.price for level in of_side[:1]]
        if feed.venue not in fees:
            continue
        factor = 1 + sign * Fraction(repr(fees[feed.venue])) / 10_000
        held = whole = Fraction(0)
        for level in true[told.side == "buy"]:
            price, amount = Fraction(repr(level.price)), Fraction(repr(level.amount))
            lot = lots.get(feed.venue)
            if lot:
                held += amount
                before, whole = whole, held // Fraction(lot) * Fraction(lot)
                amount = whole - before
            levels.append((sign * price * factor, -amount, feed.venue, price))
    levels.sort()
    mid = (Fraction(repr(max(best[0]))) + Fraction(repr(min(best[1])))) / 2 if all(best) else None
    assert told.mid == (None if mid is None else float(mid))
    used = {feed.venue for feed in live} & fees.keys()
    assert {one.venue for one in told.left_out} == {feed.venue for feed in told.venues} - used
    for said in told.prices:
        _judge_price(told, said, levels, lots, fees, mid)


def _judge_price(
    told: Executable,
    price: ExecutablePrice,
    levels: list[tuple[Fraction, Fraction, str, Fraction]],
    lots: Lots,
    fees: Mapping[str, float],
    mid: Fraction | None,
) -> None:
    sign = 1 if told.side == "buy" else -1
    against = _UP if told.side == "buy" else _DOWN
    left = Fraction(repr(price.size))
    taken: dict[str, list[tuple[Fraction, Fraction]]] = {}
    for key, less, venue, at in levels:
        amount = -less
        if told.in_quote and left < amount * abs(key):
            step = Fraction(lots.get(venue) or Decimal("1e-8"))
            part = left / abs(key) // step * step
            left_then = Fraction(0)
        else:
            part = amount if told.in_quote else min(amount, left)
            left_then = left - (part * abs(key) if told.in_quote else part)
        if part:
            taken.setdefault(venue, []).append((part, at))
        left = left_then
        if not left:
            break
    filled = sum((part for one in taken.values() for part, _ in one), Fraction(0))
    assert price.complete == (left == 0 and filled > 0)
    assert price.filled == float(filled)
    assert {said.venue: said.amount for said in price.parts} == {
        venue: float(sum(part for part, _ in one)) for venue, one in taken.items()
    }
    if not filled:
        assert price.net_avg is None
        return
    gross = {venue: sum(part * at for part, at in one) for venue, one in taken.items()}
    total_fees = sum(of * Fraction(repr(fees[venue])) / 10_000 for venue, of in gross.items())
    net = sum(gross.values()) + sign * total_fees
    assert price.gross_avg == rounded(sum(gross.values()) / filled, against)
    assert price.net_avg == rounded(net / filled, against)
    assert price.money == rounded(Fraction(net), against)
    assert price.fee_total == rounded(Fraction(total_fees), _UP)
    for said in price.parts:
        last = [at for _, at in taken[said.venue]][-1]
        assert (said.worst, said.fee_bps) == (float(last), fees[said.venue])
    assert mid is not None
    assert price.cost_bps is not None
    exact = (net / filled - mid) * sign / mid * 10_000
    assert 0 <= Fraction(repr(price.cost_bps)) - exact <= Fraction(1, 10_000)


async def lots_of(client: DragonflyClient, instrument: str) -> Lots:
    (listed,) = await client.instruments(instrument=instrument)
    return {market.venue: market.lot for market in listed.markets}


async def test_every_answer_is_what_the_truth_costs(system: System) -> None:
    await system.start(simulator=MOVING, gateway=("--fees", "binance=10,*=26,bitstamp=30"))
    answers: list[Executable] = []
    async with patient_client(system.gateway_address) as client:
        lots = await lots_of(client, "ETH-BTC")

        async def follow(side: str, sizes: tuple[float, ...], count: int, **more: object) -> None:
            assert side in {"buy", "sell"}
            stream = client.executable("ETH-BTC", side, sizes, **more)  # type: ignore[arg-type]
            async with contextlib.aclosing(stream) as told:
                async for one in told:
                    answers.append(one)
                    count -= len(one.left_out) == 0
                    if not count:
                        return

        async with patiently():
            await asyncio.gather(
                follow("buy", SIZES, 150),
                follow("sell", SIZES, 150, fees=FEES),
                follow("buy", SPENT, 100, in_quote=True),
                follow("sell", SPENT, 100, in_quote=True, fees=FEES),
            )
        once = await client.get_executable("ETH-BTC", "sell", 3, fees={"kraken": 26})
    truth = Truth.from_file(system.truth_log)
    for told in answers:
        judge(told, truth, lots, FEES)
    judge(once, truth, lots, {"kraken": 26.0})
    sources = {told.fee_source for told in answers}
    assert sources == {FeeSource.GATEWAY, FeeSource.REQUEST}
    shown = [price for told in answers for price in told.prices]
    assert any(len(price.parts) == len(VENUES) for price in shown)
    assert any(not price.complete and price.filled for price in shown)


async def test_a_venue_that_goes_is_left_out_with_its_reason_and_comes_back(
    system: System,
) -> None:
    await system.start(simulator=MOVING, together=True)
    answers: list[Executable] = []
    async with patient_client(system.gateway_address) as client, patiently():
        lots = await lots_of(client, "ETH-BTC")
        stream = client.executable("ETH-BTC", "buy", SIZES, fees=FEES)
        async with contextlib.aclosing(stream) as told:
            faults = [None, "halt", None]
            while faults:
                answers.append(one := await anext(told))
                out = {left.venue: left.reason for left in one.left_out}
                if out and faults[0] is None:
                    continue
                if faults[0] and not out.get("kraken", "").startswith("HALTED"):
                    continue
                faults.pop(0)
                if len(faults) == 2:
                    await system.fault("kraken", "halt", UNTIL_CLEARED_S)
                elif faults:
                    await system.clear()
    truth = Truth.from_file(system.truth_log)
    for one in answers:
        judge(one, truth, lots, FEES)


async def test_the_command_shows_it(system: System) -> None:
    await system.start(simulator=("--rate", "0"), together=True)

    async def price(*words: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dragonfly_common.cli", "price", *words),
            *("--gateway", system.gateway_address),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with patiently():
            out, error = await process.communicate()
        return process.returncode or 0, out.decode(), error.decode()

    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")
        code, out, error = await price("eth-btc", "buy", "2", "--fees", "*=10", "--json")
        assert (code, error) == (0, "")
        said = json.loads(out)
        assert (said["prices"][0]["filled"], said["fee_source"]) == (2, "REQUEST")
        code, out, _ = await price("ETH-BTC", "sell", "0.1", "--quote", "--venue", "kraken")
        assert code == 0
        assert out.startswith("sell 0.1 BTC on ETH-BTC\n")
        assert "left out: binance, not asked for" in out
        code, out, error = await price("ETH-BTC", "buy", "2", "--fees", "kraken")
        assert (code, out) == (2, "")
        assert error.startswith("Error: 'kraken' is no fee: write VENUE=BASIS_POINTS")
        code, _, error = await price("ETH-BTC", "buy", "0")
        assert code == 2
        assert "size 0 is out of range" in error
