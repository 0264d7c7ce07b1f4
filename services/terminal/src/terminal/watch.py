"""The watcher: follows books and shows what it has a few times a second."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from dragonfly_client.client import DragonflyClient
from dragonfly_client.events import Event, Refused
from dragonfly_client.tls import Tls
from rich.console import Console, ConsoleDimensions

from terminal.ladder import Frame, draw
from terminal.pictures import check_picture, leave_picture, svg_of
from terminal.screens import LadderScreen, LineScreen, Screen
from terminal.state import WINDOW, Notices, WatchState
from terminal.statistics import WatchSummary

__all__ = ["picture", "run_watch"]

CONNECT_TIMEOUT_S: Final = 10.0
"""How long a watch waits for a gateway that is still starting."""

PICTURE_WIDTH: Final = 96
PICTURE_HEIGHT: Final = 20


async def run_watch(
    target: str,
    instruments: Sequence[str],
    *,
    seconds: float | None,
    console: Console,
    notices: Notices | None = None,
    tls: Tls | None = None,
    token: str | None = None,
    proxy: str | None = None,
    svg: Path | None = None,
    screen: Screen[WatchState] | None = None,
    wording: Callable[[str], str] = str,
) -> WatchSummary:
    """Show the books of `instruments` until `seconds` after the first one, or until cancelled.

    In a terminal a ladder of the first instrument, elsewhere and where TERM is dumb lines; a
    summary at the end in either case; or what `screen` makes of them. `notices` gives lines to
    show beneath, newest last. `svg` is where to leave a picture of the last ladder.

    Raises:
        ClientError: no gateway answers, or it refuses; or `svg` cannot be written.
    """
    check_picture(svg)
    if console.is_dumb_terminal:  # which has a size all the same, and rich does not ask for it
        console.size = ConsoleDimensions(*shutil.get_terminal_size())
    watch = WatchState(target, instruments, notices or list)
    if screen is None:
        redraws = console.is_terminal and not console.is_dumb_terminal
        screen = LadderScreen(console) if redraws else LineScreen(console)

    def on_event(event: Event) -> None:
        if isinstance(event, Refused):
            event = replace(event, reason=wording(event.reason))
        watch.on_event(event)
        screen.on_event(event)

    client = DragonflyClient(
        target,
        tls=tls,
        token=token,
        proxy=proxy,
        window=WINDOW,
        connect_timeout_s=CONNECT_TIMEOUT_S,
        on_event=on_event,
    )
    try:
        async with client:
            with screen:
                await _first_to_end(_follow(client, watch, screen), _show(watch, screen, seconds))
    finally:
        # Ctrl-C is a cancellation: it ends the run as its time does, with the summary.
        if watch.started_s is not None:
            _finish(watch, screen, svg)
    return watch.summary()


def picture(frame: Frame) -> str:
    """Return `frame` as an SVG document."""
    size = PICTURE_WIDTH, PICTURE_HEIGHT
    return svg_of(draw(frame, *size), f"dragonfly watch {frame.instrument}", *size)


async def _follow(client: DragonflyClient, watch: WatchState, screen: Screen[WatchState]) -> None:
    async with contextlib.aclosing(client.books(watch.instruments)) as books:
        async for book in books:
            watch.observe(book)
            screen.observe(book)
            watch.observed()


async def _show(watch: WatchState, screen: Screen[WatchState], seconds: float | None) -> None:
    while True:
        wait_s = screen.period_s
        if seconds is not None and watch.started_s is not None:
            wait_s = min(wait_s, watch.started_s + seconds - time.monotonic())
            if wait_s <= 0:
                return
        watch.tick()
        screen.show(watch)
        watch.drawn()
        await asyncio.sleep(wait_s)


def _finish(watch: WatchState, screen: Screen[WatchState], svg: Path | None) -> None:
    screen.end(watch)
    if svg is not None:
        leave_picture(svg, picture(watch.frame()))


async def _first_to_end(*coroutines: Coroutine[None, None, None]) -> None:
    """Run all until one ends, cancel the others, and raise what the one raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
