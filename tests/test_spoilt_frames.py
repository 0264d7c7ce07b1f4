"""A venue that sends thousands of damaged frames: the listener counts them and lives on."""

from __future__ import annotations

from urllib.request import urlopen

import pytest
from oracle import Oracle, Truth
from spoiling import SpoilingProxy
from system import VENUES, Bot, System, eventually, live_venues

SPOILT = 3000
COPIES = 50
START_S = 20.0
WHOLE_S = 30.0


def counted(address: str, metric: str) -> float:
    """Return the sum of a counter over its labels, from a process's metrics page."""
    with urlopen(f"http://{address}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))


@pytest.mark.parametrize("venue", VENUES)
async def test_damaged_frames_are_counted_and_survived(system: System, venue: str) -> None:
    await system.start_simulator("--rate", "50")
    proxy = SpoilingProxy(system.urls(venue)["ws"], seed=5)
    async with proxy.serving() as url:
        await system.start_listener(venue, f"--ws-url={url}", "--status=127.0.0.1:0")
        await system.start_aggregator(venues=[venue])
        await system.start_gateway()
        await system.listed([venue])
        listener = system.processes[f"listener-{venue}"]
        status = str((await listener.event("ready"))["status"])
        async with Bot(system.gateway_address, "ETH-BTC") as bot:
            await bot.until(lambda book: book.live, within_s=START_S, what="a live book")

            proxy.copies = COPIES
            await eventually(
                lambda: proxy.spoilt >= SPOILT, within_s=WHOLE_S, what=f"{SPOILT} damaged frames"
            )
            proxy.copies = 0
            # Whatever was damaged in passing as a good frame is out once the venue was asked anew.
            await proxy.cut()
            await bot.until(lambda book: not book.live, within_s=WHOLE_S, what="the cut noticed")
            healed = len(bot.books)
            await bot.until(
                lambda book: live_venues(book) == {venue} and len(bot.books) > healed + 20,
                within_s=WHOLE_S,
                what="good books again",
            )

    assert listener.running
    assert counted(status, "dragonfly_listener_malformed_total") > SPOILT / 10
    books = [book for book in bot.books[healed:] if book.live]
    violation = Oracle(Truth(system.truth_log.read_bytes().splitlines())).first_violation(books)
    assert violation is None, str(violation)
