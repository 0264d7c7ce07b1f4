"""A venue that bans us is left alone until it said, also by who starts anew, and is back then."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from dragonfly_client import State
from system import UNTIL_CLEARED_S, Bot, Process, System, live_venues
from test_up import gateway_of


def start_up(system: System, *options: str) -> Process:
    urls = [f"--{kind}-url=binance={system.urls('binance')[kind]}" for kind in ("ws", "rest")]
    return system.run("up", "--gateway=127.0.0.1:0", "--venue=binance", *urls, *options)


async def reason_of(bot: Bot) -> str:
    book = await bot.until(
        lambda book: any("HTTP 418" in feed.reason for feed in book.venues), what="the ban"
    )
    (feed,) = book.venues
    assert feed.state is State.DOWN
    return feed.reason


async def test_a_ban_is_obeyed_over_a_restart(system: System, tmp_path: Path) -> None:
    state = f"--state-dir={tmp_path / 'state'}"
    await system.start_simulator()
    await system.fault("binance", "http_418", UNTIL_CLEARED_S)
    first = start_up(system, state)
    async with Bot(await gateway_of(first), "ETH-BTC") as bot:
        assert "banned, for asking on" in await reason_of(bot)
        first.signal(signal.SIGTERM)
        assert await first.ended() == 0
    (file,) = (tmp_path / "state").iterdir()
    # As if the venue had said an hour.
    told = json.loads(file.read_text())
    for ban in told.values():
        ban["until_s"] += 3600.0
    file.write_text(json.dumps(told))

    again = start_up(system, state)
    async with Bot(await gateway_of(again), "ETH-BTC") as bot:
        reason = await reason_of(bot)
        assert f"(as {file} says)" in reason
    file.unlink()
    await system.clear()
    last = start_up(system, state)
    async with Bot(await gateway_of(last), "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == {"binance"}, what="the venue live")
