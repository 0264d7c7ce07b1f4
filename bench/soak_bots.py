"""The bots of a soak or of chaos, as a program: they write down all that they get.

    python bench/soak_bots.py FOLDER ADDRESS,... READERS INSTRUMENT...

READERS bots at each gateway follow all instruments as fast as they can. Others there: one takes a
while over each book, one leaves every few seconds and comes back as another, one acknowledges
nothing, one follows the best prices and one the liquidity of the first instrument. What they got is
in FOLDER/PID-N.books (see `histories`), complete once the file has that name. A bot's name says its
kind, its gateway's number and the process: "slow 1 4711". When this process had to stand still
itself, because the machine is busy, is in FOLDER/PID.excuses (see `oracle`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import msgspec
from dragonfly_client import Disconnected, DragonflyClient, Event, UnavailableError, View
from histories import Cut, Recorder
from oracle import Excuse

FILE_EVERY_S: Final = 5.0
SLOW_ROUND_S: Final = 0.5
LEAVES_AFTER: Final = 100
TICK_S: Final = 0.1
STALLED_S: Final = 0.3

Follow = Callable[[DragonflyClient], AsyncGenerator[View, None]]


class _Notes:
    """The file being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._open()

    def note(self, bot: str, said: View | Cut) -> None:
        self._recorder.note(bot, said)

    def cut(self, bot: str) -> None:
        self.note(bot, Cut(time.time_ns()))

    def event(self, bot: str, event: Event) -> None:
        if isinstance(event, Disconnected):
            self.cut(bot)

    def complete(self) -> None:
        """Give the file to whoever reads it, and begin another."""
        self._recorder.file.close()
        self._part.rename(self._part.with_suffix(".books"))
        self._number += 1
        self._open()

    @property
    def _part(self) -> Path:
        return self._folder / f"{os.getpid()}-{self._number}.part"

    def _open(self) -> None:
        self._recorder = Recorder(self._part.open("wb"))


async def _read(
    bot: str,
    address: str,
    follow: Follow,
    notes: _Notes,
    *,
    pause_s: float = 0,
    window: int | None = 1,
) -> None:
    listen = partial(notes.event, bot)
    async with DragonflyClient(address, window=window, on_event=listen) as client:
        async for view in follow(client):
            notes.note(bot, view)
            if pause_s:
                await asyncio.sleep(pause_s)


async def _come_and_go(bot: str, address: str, follow: Follow, notes: _Notes) -> None:
    for number in count():
        name = f"{bot}.{number}"
        listen = partial(notes.event, name)
        with suppress(UnavailableError):  # the gateway is being started anew
            async with (
                DragonflyClient(address, on_event=listen) as client,
                aclosing(follow(client)) as views,
            ):
                left = LEAVES_AFTER
                async for view in views:
                    notes.note(name, view)
                    left -= 1
                    if not left:
                        break
        notes.cut(name)


async def _complete(notes: _Notes) -> None:
    while True:
        await asyncio.sleep(FILE_EVERY_S)
        notes.complete()


async def _watch(folder: Path) -> None:
    encoder = msgspec.json.Encoder()
    while True:
        began = time.time_ns()
        await asyncio.sleep(TICK_S)
        ended = time.time_ns()
        if ended - began > STALLED_S * 1e9:
            excuse = Excuse(began, ended, bots=f" {os.getpid()}")
            with (folder / f"{os.getpid()}.excuses").open("ab") as file:
                file.write(encoder.encode(excuse) + b"\n")


async def main(folder: Path, addresses: Sequence[str], readers: int, names: Sequence[str]) -> None:
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    notes = _Notes(folder)
    pid = os.getpid()

    def books(client: DragonflyClient) -> AsyncGenerator[View, None]:
        return client.books(names)

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_complete(notes))
            tasks.create_task(_watch(folder))
            for gateway, address in enumerate(addresses, 1):
                start = partial(_read, address=address, follow=books, notes=notes)
                for number in range(readers):
                    tasks.create_task(start(f"reader {gateway} {pid}.{number}"))
                tasks.create_task(start(f"slow {gateway} {pid}", pause_s=SLOW_ROUND_S / len(names)))
                tasks.create_task(start(f"unacknowledged {gateway} {pid}", window=None))
                tasks.create_task(
                    start(f"bbo {gateway} {pid}", follow=lambda client: client.bbo(names))
                )
                tasks.create_task(
                    start(
                        f"liquidity {gateway} {pid}",
                        follow=lambda client: client.liquidity(names[0]),
                    )
                )
                tasks.create_task(_come_and_go(f"fickle {gateway} {pid}", address, books, notes))
            print('{"event": "ready"}', flush=True)
    finally:
        notes.complete()


if __name__ == "__main__":
    with suppress(asyncio.CancelledError):
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]), sys.argv[4:]))
