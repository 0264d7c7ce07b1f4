"""Venues that send thousands of damaged frames: the listeners count them and live on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from urllib.request import urlopen

from oracle import Oracle
from spoiling import SpoilingProxy
from system import VENUES, Bot, System, eventually, live_venues
from truth import Truth

SPOILT = 3000
COPIES = 50
MORE = 50


def counted(address: str, metric: str) -> float:
    """Return the sum of a counter over its labels, from a process's metrics page."""
    with urlopen(f"http://{address}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(metric))


async def test_damaged_frames_are_counted_and_survived(system: System) -> None:
    await system.start_simulator("--rate", "50")
    proxies = {venue: SpoilingProxy(system.urls(venue)["ws"], seed=5) for venue in VENUES}
    async with AsyncExitStack() as stack:
        for venue, proxy in proxies.items():
            url = await stack.enter_async_context(proxy.serving())
            await system.start_listener(venue, f"--ws-url={url}", "--status=127.0.0.1:0")
        await system.start_aggregator()
        await system.start_gateway()
        await system.listed()
        bot = await stack.enter_async_context(Bot(system.gateway_address, "ETH-BTC"))
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")

        for proxy in proxies.values():
            proxy.copies = COPIES
        await eventually(
            lambda: all(proxy.spoilt >= SPOILT for proxy in proxies.values()),
            what=f"{SPOILT} damaged frames from each venue",
        )
        # Damage that made another good frame is out once the venues are asked anew.
        before = {venue: proxy.connections for venue, proxy in proxies.items()}
        for proxy in proxies.values():
            proxy.copies = 0
            await proxy.cut()
        await eventually(
            lambda: all(proxies[venue].connections > count for venue, count in before.items()),
            what="every listener connected again",
        )
        healing = len(bot.books)
        await bot.until(
            lambda book: live_venues(book) == set(VENUES) and len(bot.books) > healing + MORE,
            what="all venues live again",
        )
        healed = len(bot.books)
        await eventually(lambda: len(bot.books) > healed + MORE, what="more good books")

        for venue in VENUES:
            listener = system.processes[f"listener-{venue}"]
            assert listener.running
            status = str((await listener.event("ready"))["status"])
            noticed = counted(status, "dragonfly_listener_malformed_total")
            noticed += counted(status, "dragonfly_listener_superseded_total")
            assert noticed > SPOILT / 10
    violation = Oracle(Truth.from_file(system.truth_log)).first_violation(bot.books[healed:])
    assert violation is None, str(violation)
