"""What the gateway keeps of orders, in the file of the sessions' numbers and messages.

The engine's journal says what orders are; this says what customers were told, and under which
names they know them. Both are written in one transaction with the message that tells of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from dragonfly_common.errors import ConfigError, DecodeError
from dragonfly_fix.codec import decode_fields
from dragonfly_fix.fix44 import FIX44
from dragonfly_fix.session import keep_for_later
from dragonfly_fix.sqlite_store import SqliteFile, SqliteStore
from dragonfly_orders.front_end import new_command_id
from dragonfly_orders.messages import Command, decode_from_front_end, encode

from fix_gateway.order_reports import FixOrder
from fix_gateway.requests import FixBody

__all__ = ["OrderStore"]

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS gateway (name TEXT NOT NULL, day TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS names (
        comp_id TEXT NOT NULL, name TEXT NOT NULL, day TEXT NOT NULL, order_id TEXT NOT NULL,
        PRIMARY KEY (comp_id, name, day)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS commands (
        id TEXT PRIMARY KEY, order_id TEXT NOT NULL, body BLOB NOT NULL, at_ns INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS missed (comp_id TEXT PRIMARY KEY, first INTEGER NOT NULL);
"""
DAYS_KEPT: Final = 2
"""Of orders that are over, and of ClOrdIDs."""
_TRAILER_LENGTH: Final = len(b"10=000\x01")


class OrderStore:
    """The file, and the orders in it."""

    def __init__(self, path: Path, target: bytes) -> None:
        """Open or make it; `target` is our CompID.

        Raises:
            ConfigError: it cannot be used.
        """
        self._target = target
        self._sessions: dict[str, SqliteStore] = {}
        try:
            self._file = SqliteFile(path, _TABLES)
            # Who writes it second is refused: numbers would be used twice.
            self._file.execute("PRAGMA locking_mode=EXCLUSIVE")
            with self._file.transaction():
                if not [*self._file.execute("SELECT name FROM gateway")]:
                    self._file.execute(
                        "INSERT INTO gateway VALUES (?, '')", (f"fix-{new_command_id()}",)
                    )
            [(self.name, self.day)] = self._file.execute("SELECT name, day FROM gateway")
        except sqlite3.Error as error:
            raise ConfigError(
                f"cannot use {path} to keep orders: {error}; give each gateway a file of its own"
            ) from None
        self.transaction = self._file.transaction
        self.close = self._file.close
        rows = self._file.execute("SELECT body FROM orders")
        orders = [msgspec.msgpack.decode(body, type=FixOrder) for (body,) in rows]
        self.orders: Final = {order.order_id: order for order in orders}
        """By id."""

    @property
    def is_writing(self) -> bool:
        """Whether a transaction goes on."""
        return self._file.in_transaction

    def session(self, comp_id: str) -> SqliteStore:
        """Return the numbers and messages of a customer."""
        if comp_id not in self._sessions:
            self._sessions[comp_id] = SqliteStore(self._file, comp_id)
        return self._sessions[comp_id]

    def save(self, order: FixOrder) -> None:
        """Keep an order as it is now."""
        self.orders[order.order_id] = order
        row = (order.order_id, msgspec.msgpack.encode(order))
        self._file.execute("INSERT OR REPLACE INTO orders VALUES (?, ?)", row)

    def open_of(self, comp_id: str) -> list[FixOrder]:
        """Return a customer's orders that are not over."""
        return [one for one in self.orders.values() if one.comp_id == comp_id and one.open]

    def give_name(self, order: FixOrder, cl_ord_id: str) -> None:
        """Let a ClOrdID (11) stand for an order."""
        row = (order.comp_id, cl_ord_id, self.day, order.order_id)
        self._file.execute("INSERT INTO names VALUES (?, ?, ?, ?)", row)

    def find(self, comp_id: str, cl_ord_id: str, *, today: bool = False) -> FixOrder | None:
        """Return the order that a ClOrdID (11) stood for last; of this day alone with `today`."""
        found = self._file.execute(
            "SELECT order_id FROM names WHERE comp_id = ? AND name = ? AND day >= ?"
            " ORDER BY day DESC LIMIT 1",
            (comp_id, cl_ord_id, self.day if today else ""),
        ).fetchone()
        return self.orders.get(found[0]) if found else None

    # Commands that the engine has not answered.

    def add_command(self, order: FixOrder, command: Command, now_ns: int) -> None:
        row = (command.id, order.order_id, encode(command), now_ns)
        self._file.execute("INSERT INTO commands VALUES (?, ?, ?, ?)", row)

    def drop_command(self, command: Command) -> None:
        self._file.execute("DELETE FROM commands WHERE id = ?", (command.id,))

    def commands(self) -> Iterator[tuple[FixOrder, Command, int]]:
        """Yield each, with its order and when it was taken, in their order."""
        rows = self._file.execute("SELECT order_id, body, at_ns FROM commands ORDER BY rowid")
        for order_id, body, at_ns in rows.fetchall():
            try:
                command = decode_from_front_end(body)
            except DecodeError:
                continue
            if isinstance(command, Command):
                yield self.orders[order_id], command, at_ns

    # Customers that are away.

    def keep(self, comp_id: str, body: FixBody, now_ns: int, *, again: bool = False) -> None:
        """Give a message to a customer that is away its number; it is sent when asked for."""
        pair = (self._target, comp_id.encode())
        number = keep_for_later(self.session(comp_id), pair, *body, now_ns, poss_resend=again)
        self._file.execute("INSERT OR IGNORE INTO missed VALUES (?, ?)", (comp_id, number))

    def is_back(self, comp_id: str) -> None:
        """Note that a customer is there, and can ask for what it missed."""
        self._file.execute("DELETE FROM missed WHERE comp_id = ?", (comp_id,))

    def begin_day(self, day: str, now_ns: int) -> None:
        """Begin all numbers anew; what was kept for customers that are away follows anew (97=Y)."""
        header = FIX44.header.members
        missed = dict(self._file.execute("SELECT comp_id, first FROM missed").fetchall())
        names = self._file.execute("SELECT name FROM sessions").fetchall()
        with self.transaction():
            self._file.execute("UPDATE gateway SET day = ?", (day,))
            self._file.execute("DELETE FROM missed")
            for (comp_id,) in names:
                store, kept = self.session(comp_id), []
                if comp_id in missed:
                    kept = [*store.frames(missed[comp_id], store.next_out)]
                store.reset()
                for _, frame in kept:
                    (_, msg_type), *fields = decode_fields(frame[:-_TRAILER_LENGTH])[2:]
                    body = b"".join(
                        b"%d=%b\x01" % field for field in fields if field[0] not in header
                    )
                    self.keep(comp_id, (msg_type, body), now_ns, again=True)
            self.day = day
            self._forget()

    def _forget(self) -> None:
        days = sorted({day for (day,) in self._file.execute("SELECT DISTINCT day FROM names")})
        for order in [*self.orders.values()]:
            if not order.open and order.day in days[:-DAYS_KEPT]:
                del self.orders[order.order_id]
                self._file.execute("DELETE FROM orders WHERE id = ?", (order.order_id,))
                self._file.execute("DELETE FROM names WHERE order_id = ?", (order.order_id,))
