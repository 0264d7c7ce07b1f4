"""The journal: SQLite in WAL mode, one writer that holds a lock, each commit on the disk.

`append` returns when its rows are durable, all of them or none. Whoever opens the journal for
writing holds `<journal>.lock` until the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dragonfly_common.errors import ConfigError
from dragonfly_orders.messages import Report

from execution_engine.rows import Reported, Row, decode_row, encode_row, key_of, report_key

__all__ = ["Journal", "Moment", "no_moment"]

SCHEMA_VERSION: Final = 1
PAPER: Final = 0x44465031
REAL: Final = 0x44465231
"""The kinds of journals, as SQLite's application_id."""
MOST_REPORTS: Final = 256
"""That are read at once."""

Moment = Callable[[str], None]
"""Called at each point at which a crash differs from one before it: a test crashes there."""


def no_moment(_: str) -> None:
    """Do nothing: how the engine runs outside of tests."""


class Journal:
    """An open journal, for its one writer."""

    def __init__(self, path: Path | None, at: Moment = no_moment, *, paper: bool = True) -> None:
        """Open it, or begin it; None is one in memory, for tests.

        A journal of paper orders is never one of real orders.

        Raises:
            ConfigError: another process writes it, or it cannot be opened, or is none, or is of
                the other kind.
        """
        self._at = at
        # One file has one lock, whatever names lead to it.
        self._lock = None if path is None else _lock(path.resolve())
        try:
            if path is not None:
                os.close(_open(path))  # SQLite gives its -wal and -shm the same mode
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (kind,) = self._db.execute("PRAGMA application_id").fetchone()
            (strange,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == 0 and not strange:
                self._db.executescript(
                    "BEGIN;"
                    "CREATE TABLE journal (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
                    " key TEXT UNIQUE, body TEXT NOT NULL);"
                    "CREATE TABLE ack (front_end TEXT, order_id TEXT, seq INTEGER NOT NULL,"
                    " PRIMARY KEY (front_end, order_id));"
                    f"PRAGMA user_version={SCHEMA_VERSION};"
                    f"PRAGMA application_id={PAPER if paper else REAL};"
                    "COMMIT;"
                )
        except (OSError, sqlite3.Error) as error:
            self.close()
            why = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(
                f"{path} cannot be used as a journal: {why}; name another file with --journal"
            ) from None
        if version == 0 and strange:
            self.close()
            raise ConfigError(f"{path} is another program's database: name another --journal")
        if version not in (0, SCHEMA_VERSION):
            self.close()
            raise ConfigError(
                f"{path} is a journal of version {version}, and this program writes "
                f"{SCHEMA_VERSION}: run the version that wrote it"
            )
        if version and kind != (PAPER if paper else REAL):
            self.close()
            raise ConfigError(
                f"{path} is the journal of {'paper' if kind == PAPER else 'real'} orders, "
                "which are never mixed with others: name another --journal"
            )

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, all or none; they are on the disk when this returns.

        Raises:
            sqlite3.Error: they are not there: nothing may be done on their strength.
        """
        self._at("before commit")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT INTO journal (key, body) VALUES (?, ?)",
                [(key_of(row), encode_row(row).decode()) for row in rows],
            )
            self._at("in commit")
            self._db.execute("COMMIT")
        except BaseException:
            self.abandon()
            raise
        self._at("after commit")

    def rows(self) -> Iterator[Row]:
        """Yield every row, oldest first."""
        for (body,) in self._db.execute("SELECT body FROM journal ORDER BY seq"):
            yield decode_row(body.encode())

    def reports(self, order_id: str, after: int, most: int = MOST_REPORTS) -> list[Report]:
        """Return the reports of an order that follow `after`, oldest first."""
        found = self._db.execute(
            "SELECT body FROM journal WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
            (report_key(order_id, after), f"report:{order_id};", most),
        )
        rows = (decode_row(body.encode()) for (body,) in found)
        return [row.report for row in rows if isinstance(row, Reported)]

    def acked(self, front_end: str) -> dict[str, int]:
        """Return up to which report of each order a front end has acknowledged."""
        query = "SELECT order_id, seq FROM ack WHERE front_end = ?"
        return dict(self._db.execute(query, (front_end,)))

    def ack(self, front_end: str, seqs: dict[str, int]) -> None:
        """Note what a front end has acknowledged."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(
            "INSERT INTO ack VALUES (?, ?, ?) ON CONFLICT (front_end, order_id)"
            " DO UPDATE SET seq = max(seq, excluded.seq)",
            [(front_end, order_id, seq) for order_id, seq in seqs.items()],
        )
        self._db.execute("COMMIT")

    def abandon(self) -> None:
        """Take back what was not committed, as the end of the process does."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _open(path: Path) -> int:
    """Open a file for writing; where it is not there yet, only its owner may read it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(path: Path) -> int:
    """Take the lock of a journal for as long as this process lives.

    Raises:
        ConfigError: another process has it, or the folder cannot be written.
    """
    name = path.with_name(path.name + ".lock")
    try:
        lock = _open(name)
    except OSError as error:
        raise ConfigError(
            f"cannot write {name}: {error.strerror}; name a journal in a folder that this user "
            "may write"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConfigError(
            f"another engine writes {path}: end that one first, or name another --journal"
        ) from None
    return lock
