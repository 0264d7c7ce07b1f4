"""One bot that stops reading touches no other, and gets the newest state when it reads again."""

from __future__ import annotations

from contextlib import AsyncExitStack

from oracle import Oracle
from system import Bot, System, eventually, patient_client
from truth import Truth

OTHERS = 19
MORE_BOOKS = 200


async def test_a_stalled_bot_among_twenty(system: System) -> None:
    await system.start(simulator=("--rate", "100"))
    async with AsyncExitStack() as stack:
        bots = [
            await stack.enter_async_context(Bot(system.gateway_address, "ETH-BTC"))
            for _ in range(OTHERS)
        ]
        client = await stack.enter_async_context(patient_client(system.gateway_address))
        stalled = client.book("ETH-BTC")
        before = await anext(stalled)

        # Far more than any buffer on the way to the stalled one may hold.
        enough = [len(bot.books) + MORE_BOOKS for bot in bots]
        await eventually(
            lambda: all(len(bot.books) >= count for bot, count in zip(bots, enough, strict=True)),
            what=f"{MORE_BOOKS} more books for each other bot",
        )
        newest = max(bot.books[-1].seq for bot in bots)

        on_the_way = 0
        while (after := await anext(stalled)).seq < newest:
            on_the_way += 1
        await stalled.aclose()

    assert on_the_way < 5
    assert after.epoch == before.epoch
    oracle = Oracle(Truth.from_file(system.truth_log))
    for bot in bots:
        violation = oracle.first_violation(bot.books)
        assert violation is None, str(violation)
