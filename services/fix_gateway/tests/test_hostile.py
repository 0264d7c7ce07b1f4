"""Customers that flood, stall or guess: who else is logged on notices nothing."""

from __future__ import annotations

import asyncio

from customer_world import BOTH, Customer, Running, levels
from dragonfly_fix.codec import encode_fields
from fix_gateway import counters
from patience import eventually
from view_world import Aggregator, make_book

SUBSCRIBE = f"262=m|263=1|264=0|{BOTH}|146=1|55=ETH-BTC"
ROUNDS = 100


async def follow(aggregator: Aggregator, customer: Customer) -> None:
    """Let a customer get each of many books."""
    aggregator.say(make_book())
    assert (await customer.ask("V", SUBSCRIBE)).startswith("35=W|")
    for number in range(1, ROUNDS + 1):
        aggregator.say(make_book(mid=1.0 + number))
        bid = number + 1.0 - 1 / 64
        while float(levels(await customer.receive())[0][270]) != bid:
            assert number == 1, "only the first book may come twice: it is said again"


async def test_a_customer_that_floods_is_read_at_a_pace(
    aggregator: Aggregator, fix_gateway: Running
) -> None:
    async with fix_gateway.customer("FLOOD") as flood, fix_gateway.customer("GOOD") as good:
        body = encode_fields([(324, b"s"), (55, b"x"), (263, b"1")])
        sent = 0
        while flood.connection.can_write:
            flood.connection.send(b"e", body)
            sent += 1
        await follow(aggregator, good)
        # Of more than 256 KiB, 64 KiB are read at once.
        assert flood._inbox.qsize() < sent
        assert not flood.lost.is_set()


async def test_a_customer_that_reads_nothing_holds_up_nobody(
    aggregator: Aggregator, fix_gateway: Running
) -> None:
    async with fix_gateway.customer("STALLED") as stalled, fix_gateway.customer("GOOD") as good:
        aggregator.say(make_book())
        assert (await stalled.ask("V", SUBSCRIBE)).startswith("35=W|")
        stalled.connection.transport.pause_reading()
        await follow(aggregator, good)


async def test_a_guesser_is_slowed_and_disturbs_nobody(
    aggregator: Aggregator, fix_gateway: Running
) -> None:
    async with fix_gateway.customer("GOOD") as good:
        before = counters.LOGONS_REFUSED._value.get()

        async def guess() -> None:
            async with fix_gateway.connected("GOOD") as guesser:
                await guesser.end()

        guesses = [asyncio.create_task(guess()) for _ in range(10)]
        await follow(aggregator, good)
        await asyncio.gather(*guesses)
        await eventually(
            lambda: counters.LOGONS_REFUSED._value.get() == before + 10, "all are counted"
        )
