"""How a listener is wired, on real sockets."""

from __future__ import annotations

import asyncio
import http
from pathlib import Path

import pytest
from dragonfly_common.bus import Subscriber, drive
from dragonfly_common.clock import SystemClock
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.topics import book_interest
from dragonfly_venues.transport import trusted
from fake_venue import FakeServer, FakeVenue, eventually, listing
from feed_listener import directory
from feed_listener.listener import Following
from feed_listener.service import ListenerOptions, serve


async def test_all_that_asks_a_host_obeys_what_it_told_one(
    server: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The list comes by a WebSocket of its own, to the host that then bans the books' one."""
    monkeypatch.setattr(directory, "LEAST_REFRESH_S", 0.0)
    monkeypatch.setattr(directory, "REFRESH_S", 3600.0)
    log = ""

    def said(event: str) -> bool:
        nonlocal log
        log += "".join(capsys.readouterr())
        return any(event in line and "HTTP 418" in line for line in log.splitlines())

    options = ListenerOptions(
        venue=FakeVenue(instruments=listing(ws_request='{"op":"list","symbols":[]}')),
        bind=f"ipc://{tmp_path}/listener.ipc",
        ws_url=server.ws_url,
        rest_url=server.rest_url,
        trust=trusted(None),
        following=Following(["ETH-BTC"], 10, 0.0),
        bans=tmp_path / "bans.json",
    )
    subscriber = Subscriber([options.bind], SystemClock())

    def drain() -> None:
        subscriber.drain()

    tasks = [
        asyncio.create_task(serve(Runtime("listener", RuntimeOptions()), options)),
        asyncio.create_task(drive([subscriber], drain)),
    ]
    try:
        await eventually(lambda: bool(server.asked("sub")), "the subscription")
        server.stream_status, server.retry_after = http.HTTPStatus.IM_A_TEAPOT, "3600"
        await server.open[-1].close()
        await eventually(lambda: said("connection failed"), "the ban")
        assert server.rejected == 1
        # A wish for what is not listed makes the list be read again.
        subscriber.subscribe(book_interest("NEW-BTC"))
        await eventually(lambda: said("instruments not loaded"), "the list's obedience")
        assert server.rejected == 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        subscriber.close()
