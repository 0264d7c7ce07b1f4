from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from dragonfly_fix.sqlite_store import SqliteFile, SqliteStore
from dragonfly_fix.store import MemoryStore, Store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        with SqliteFile(tmp_path / "orders.db") as file:
            yield SqliteStore(file, "ME>YOU")


def test_numbers_begin_at_one_and_frames_are_kept_in_order(store: Store) -> None:
    assert (store.next_out, store.next_in) == (1, 1)
    for number, frame in ((1, None), (2, b"b"), (3, None), (4, b"d"), (5, b"e")):
        store.save(number, frame)
    store.expect(9)
    assert (store.next_out, store.next_in) == (6, 9)
    assert list(store.frames(1, 4)) == [(2, b"b"), (4, b"d")]
    store.reset()
    assert (store.next_out, store.next_in) == (1, 1)
    assert list(store.frames(1, 9)) == []
    store.save(1, b"anew")
    assert list(store.frames(1, 1)) == [(1, b"anew")]


def test_a_store_of_quotes_keeps_numbers_alone() -> None:
    store = MemoryStore(keeps=False)
    store.save(1, b"a")
    assert store.next_out == 2
    assert list(store.frames(1, 1)) == []


def test_what_was_saved_is_there_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with SqliteFile(path) as file:
        store, other = SqliteStore(file, "a"), SqliteStore(file, "b")
        store.save(1, b"x")
        store.expect(7)
        other.save(1, b"y")
        # Nothing is closed nor flushed: another process reads what is in the file by now.
        with SqliteFile(path) as again:
            after = SqliteStore(again, "a")
            assert (after.next_out, after.next_in) == (2, 7)
            assert list(after.frames(1, 9)) == [(1, b"x")]


def test_a_number_is_never_saved_twice(tmp_path: Path) -> None:
    with SqliteFile(tmp_path / "orders.db") as file:
        store, twin = SqliteStore(file, "a"), SqliteStore(file, "a")
        store.save(1, b"x")
        with pytest.raises(sqlite3.IntegrityError):
            twin.save(1, b"y")
        assert twin.next_out == 1
        assert list(twin.frames(1, 9)) == [(1, b"x")]


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    path.write_text("no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        SqliteFile(path)


def test_what_an_application_notes_stands_or_falls_with_the_message(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with SqliteFile(path, "CREATE TABLE IF NOT EXISTS notes (text TEXT);") as file:
        store = SqliteStore(file, "a")
        with file.transaction():
            file.execute("INSERT INTO notes VALUES ('told')")
            store.save(1, b"x")

        def tell_again() -> None:
            with file.transaction():
                file.execute("INSERT INTO notes VALUES ('never told')")
                store.save(1, b"y")

        with pytest.raises(sqlite3.IntegrityError):
            tell_again()
    with SqliteFile(path) as file:
        assert [*file.execute("SELECT text FROM notes")] == [("told",)]
        assert [*SqliteStore(file, "a").frames(1, 9)] == [(1, b"x")]
