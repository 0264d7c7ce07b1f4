"""Stores in a file of SQLite, for order sessions: what was promised survives a crash.

An application may keep tables of its own in the file, and have what it notes there be durable in
one transaction with the messages that tell of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["SqliteFile", "SqliteStore"]

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS sessions (
        name TEXT PRIMARY KEY, next_out INTEGER NOT NULL, next_in INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS sent (
        name TEXT NOT NULL, number INTEGER NOT NULL, frame BLOB NOT NULL,
        PRIMARY KEY (name, number)
    ) WITHOUT ROWID;
"""
_SET_NEXT_IN: Final = "UPDATE sessions SET next_in = ? WHERE name = ?"
_SET_NEXT_OUT: Final = "UPDATE sessions SET next_out = ? WHERE name = ?"


class SqliteFile:
    """A file of stores, and of what its application keeps beside them."""

    def __init__(self, path: Path, tables: str = "") -> None:
        """Open or make the file; `tables` makes the application's own where they are not there.

        Raises:
            sqlite3.Error: it cannot be opened, or is no such file.
        """
        # Without a transaction of the library's own, a statement is one.
        self._file = sqlite3.connect(path, isolation_level=None)
        try:
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.executescript(_TABLES + tables)
        except BaseException:
            self._file.close()
            raise
        self.execute: Final = self._file.execute

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def in_transaction(self) -> bool:
        return self._file.in_transaction

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is written within durable together, at the end of the outermost one."""
        if self._file.in_transaction:
            yield
            return
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class SqliteStore:
    """The store of the session `name`; several may share a file. Each call is a transaction."""

    def __init__(self, file: SqliteFile, name: str) -> None:
        self._file = file
        self._name = name
        file.execute("INSERT OR IGNORE INTO sessions VALUES (?, 1, 1)", (name,))
        self._next_out: int
        self._next_in: int
        [(self._next_out, self._next_in)] = file.execute(
            "SELECT next_out, next_in FROM sessions WHERE name = ?", (name,)
        )

    @property
    def next_out(self) -> int:
        return self._next_out

    @property
    def next_in(self) -> int:
        return self._next_in

    def save(self, number: int, frame: bytes | None) -> None:
        with self._file.transaction():
            if frame is not None:
                self._file.execute("INSERT INTO sent VALUES (?, ?, ?)", (self._name, number, frame))
            self._file.execute(_SET_NEXT_OUT, (number + 1, self._name))
        self._next_out = number + 1

    def expect(self, number: int) -> None:
        self._file.execute(_SET_NEXT_IN, (number, self._name))
        self._next_in = number

    def frames(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        found = self._file.execute(
            "SELECT number, frame FROM sent WHERE name = ? AND number BETWEEN ? AND ?"
            " ORDER BY number",
            (self._name, first, last),
        )
        with closing(found):
            yield from found

    def reset(self) -> None:
        with self._file.transaction():
            self._file.execute("DELETE FROM sent WHERE name = ?", (self._name,))
            self._file.execute(_SET_NEXT_OUT, (1, self._name))
            self._file.execute(_SET_NEXT_IN, (1, self._name))
        self._next_out = self._next_in = 1
