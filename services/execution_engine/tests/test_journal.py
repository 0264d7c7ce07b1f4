"""The journal: all or nothing, once, one writer, and never of another kind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_common.types import OrderSide
from execution_engine.journal import Journal
from execution_engine.rows import ChildEnded, ChildIntended, FillCounted, KillSwitched, Row


def fill(trade_id: str) -> FillCounted:
    one = Decimal("0.10")
    return FillCounted("child", "kraken", "ETH/XBT", trade_id, one, one, one, "BTC", None, 1)


def test_rows_come_back_in_their_order_with_their_digits(tmp_path: Path) -> None:
    rows: list[Row] = [
        ChildIntended(
            "child", "parent", 1, 1, "kraken", "ETH/XBT", "ETH-BTC", OrderSide.BUY,
            Decimal("1.500"), Decimal("0.0520"), 7,
        ),
        fill("t1"),
    ]  # fmt: skip
    journal = Journal(tmp_path / "journal")
    journal.append(rows)
    journal.append([KillSwitched(on=True, reason="a drill", ts=8)])
    journal.close()
    again = list(Journal(tmp_path / "journal").rows())
    assert again[:2] == rows
    assert isinstance(again[0], ChildIntended)
    assert str(again[0].amount) == "1.500"


def test_none_but_its_owner_may_read_what_a_journal_makes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        journal = Journal(tmp_path / "journal")
        journal.append([fill("t1")])
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    finally:
        os.umask(before)
        journal.close()
    assert modes == dict.fromkeys(("journal", "journal-wal", "journal-shm", "journal.lock"), 0o600)


def test_a_trade_is_there_once_and_its_commit_is_all_or_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append([fill("t1")])
    with pytest.raises(sqlite3.IntegrityError):
        journal.append([fill("t2"), fill("t1")])
    assert list(journal.rows()) == [fill("t1")]
    journal.append([fill("t2")])
    assert len(list(journal.rows())) == 2


def test_a_process_that_is_killed_leaves_what_it_committed_and_its_lock(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from execution_engine.journal import Journal\n"
        "from execution_engine.rows import KillSwitched\n"
        "journal = Journal(Path(sys.argv[1]), lambda at: at == 'in commit' and 7 <= n "
        "and os.kill(os.getpid(), 9))\n"
        "for n in range(10):\n    journal.append([KillSwitched(True, str(n), n)] * 2)\n"
    )
    path = tmp_path / "journal"
    ended = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert ended.returncode == -9
    rows = list(Journal(path).rows())
    assert [row.ts for row in rows if isinstance(row, KillSwitched)] == [
        n for n in range(7) for _ in range(2)
    ]


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    with pytest.raises(ConfigError, match="another engine writes"):
        Journal(tmp_path / "journal")
    journal.close()
    Journal(tmp_path / "journal").close()


def test_another_name_of_a_journal_leads_to_the_same_lock(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    (tmp_path / "alias").symlink_to(tmp_path / "journal")
    with pytest.raises(ConfigError, match="another engine writes"):
        Journal(tmp_path / "alias")
    journal.close()


def test_paper_and_real_orders_share_no_journal(tmp_path: Path) -> None:
    Journal(tmp_path / "journal", paper=True).close()
    with pytest.raises(ConfigError, match="is the journal of paper orders"):
        Journal(tmp_path / "journal", paper=False)
    Journal(tmp_path / "journal", paper=True).close()


def test_what_is_no_journal_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be looked at\n" * 99)
    with pytest.raises(ConfigError, match="cannot be used as a journal"):
        Journal(tmp_path / "text")
    newer = sqlite3.connect(tmp_path / "newer")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(ConfigError, match="is a journal of version 99"):
        Journal(tmp_path / "newer")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(ConfigError, match="is another program's database"):
        Journal(tmp_path / "other")
    strange = Journal(tmp_path / "strange")
    strange._db.execute("INSERT INTO journal (body) VALUES ('{}')")
    with pytest.raises(ConfigError, match="a row that this version cannot read"):
        list(strange.rows())


def test_every_commit_is_on_the_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_acknowledgements_are_kept_and_never_go_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.ack("gateway", {"a": 3, "b": 1})
    journal.ack("gateway", {"a": 2})
    journal.ack("other", {"a": 9})
    assert journal.acked("gateway") == {"a": 3, "b": 1}


def test_a_row_without_a_key_may_be_there_twice(tmp_path: Path) -> None:
    from dragonfly_orders.messages import ChildState  # noqa: PLC0415

    journal = Journal(tmp_path / "journal")
    row = ChildEnded("child", ChildState.CLOSED, Decimal(1), "", 1)
    journal.append([row, row])
    assert list(journal.rows()) == [row, row]
