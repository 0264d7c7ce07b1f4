"""The bots of a soak, as a program: they write down every book they get.

    python bench/soak_bots.py FOLDER ADDRESS,... READERS INSTRUMENT...

READERS bots at each gateway follow all instruments as fast as they can; one more takes a while over
each book, and one more leaves every few seconds and comes back as another. What they got is in
FOLDER/PID-N.books, one pickled `Record` after the other, complete once the file has that name.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import aclosing, suppress
from itertools import count
from pathlib import Path
from typing import IO, Final

from dragonfly_client import Book, DragonflyClient, UnavailableError

__all__ = ["Record", "read_records"]

FILE_EVERY_S: Final = 5.0
SLOW_S: Final = 0.2
LEAVES_AFTER: Final = 100


Record = tuple[str, Book]
"""A bot, which no other ever has the name of, and a book that it got."""


def read_records(file: Path) -> Iterator[Record]:
    """Yield what a complete file holds."""
    with file.open("rb") as content:
        while content.peek(1):
            yield pickle.load(content)


class _Notes:
    """The file being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._file = self._open()

    def note(self, bot: str, book: Book) -> None:
        pickle.dump((bot, book), self._file)

    def complete(self) -> None:
        """Give the file to whoever reads it, and begin another."""
        self._file.close()
        written = self._part
        written.rename(written.with_suffix(".books"))
        self._number += 1
        self._file = self._open()

    @property
    def _part(self) -> Path:
        return self._folder / f"{os.getpid()}-{self._number}.part"

    def _open(self) -> IO[bytes]:
        return self._part.open("wb")


async def _read(bot: str, address: str, names: list[str], notes: _Notes, pause_s: float) -> None:
    async with DragonflyClient(address) as client:
        async for book in client.books(names):
            notes.note(bot, book)
            if pause_s:
                await asyncio.sleep(pause_s)


async def _come_and_go(bot: str, address: str, names: list[str], notes: _Notes) -> None:
    for number in count():
        with suppress(UnavailableError):  # the gateway is being started anew
            async with DragonflyClient(address) as client, aclosing(client.books(names)) as books:
                left = LEAVES_AFTER
                async for book in books:
                    notes.note(f"{bot}.{number}", book)
                    left -= 1
                    if not left:
                        break


async def _complete(notes: _Notes) -> None:
    while True:
        await asyncio.sleep(FILE_EVERY_S)
        notes.complete()


async def main(folder: Path, addresses: list[str], readers: int, names: list[str]) -> None:
    notes = _Notes(folder)
    pid = os.getpid()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_complete(notes))
        for gateway, address in enumerate(addresses, 1):
            for number in range(readers):
                bot = f"reader {gateway} {pid}.{number}"
                tasks.create_task(_read(bot, address, names, notes, 0))
            tasks.create_task(_read(f"slow {gateway} {pid}", address, names, notes, SLOW_S))
            tasks.create_task(_come_and_go(f"fickle {gateway} {pid}", address, names, notes))
        print('{"event": "ready"}', flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]), sys.argv[4:]))
