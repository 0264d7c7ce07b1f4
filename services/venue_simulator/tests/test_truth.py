"""The truth log: one line a state, complete as soon as it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from venue_simulator.book import BookState, cross
from venue_simulator.faults import Fault, FaultKind
from venue_simulator.truth import LOGGED_LEVELS, Truth

BIDS = tuple((f"{100 - n}.0", "1.50") for n in range(40))
ASKS = tuple((f"{101 + n}.0", "2.50") for n in range(40))


def test_a_state_is_a_line_at_once(tmp_path: Path) -> None:
    path = tmp_path / "truth.ndjson"
    truth = Truth(path)
    truth.note_state("kraken", "ETH-BTC", BookState(7, 99, BIDS, ASKS))
    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {
        "venue": "kraken",
        "instrument": "ETH-BTC",
        "venue_seq": 7,
        "ts": 99,
        "bids": [list(level) for level in BIDS[:LOGGED_LEVELS]],
        "asks": [list(level) for level in ASKS[:LOGGED_LEVELS]],
    }
    truth.close()


def test_a_crossed_state_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "truth.ndjson"
    truth = Truth(path)
    truth.note_state("kraken", "ETH-BTC", cross(BookState(7, 99, BIDS, ASKS)))
    line = json.loads(path.read_text())
    assert line["crossed"] is True
    assert float(line["bids"][0][0]) > float(line["asks"][0][0])
    truth.close()


def test_a_fault_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "truth.ndjson"
    truth = Truth(path)
    truth.note_fault(Fault("kraken", FaultKind.SILENCE, None, 3.0), 5)
    assert json.loads(path.read_text()) == {
        "fault": "silence",
        "venue": "kraken",
        "instrument": None,
        "ts": 5,
        "seconds": 3.0,
    }
    truth.close()


def test_a_restart_appends(tmp_path: Path) -> None:
    path = tmp_path / "truth.ndjson"
    for seq in (1, 2):
        truth = Truth(path)
        truth.note_state("kraken", "ETH-BTC", BookState(seq, 0, BIDS, ASKS))
        truth.close()
    assert [json.loads(line)["venue_seq"] for line in path.read_text().splitlines()] == [1, 2]


def test_memory_is_kept_only_when_asked() -> None:
    state = BookState(1, 0, BIDS, ASKS)
    forgetful, mindful = Truth(), Truth(keep=True)
    for truth in (forgetful, mindful):
        truth.note_state("kraken", "ETH-BTC", state)
    assert forgetful.states == {}
    assert mindful.states == {("kraken", "ETH-BTC"): [state]}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Truth(tmp_path / "nowhere" / "truth.ndjson")
