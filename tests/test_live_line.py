"""The line by which long runs tell their progress."""

from __future__ import annotations

import sys

import pytest
from live_line import LiveLine, clock


def told(line: LiveLine, capsys: pytest.CaptureFixture[str]) -> str:
    for now, text in ((5.0, "one"), (14.9, "two"), (15.0, "three"), (16.0, "four")):
        line.show(text, now)
    line.end("all")
    return capsys.readouterr().err


def test_a_log_gets_a_line_now_and_then_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(LiveLine(10.0), capsys) == "one\nthree\nall\n"


def test_a_terminal_has_one_line_that_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "5")
    written = told(LiveLine(10.0), capsys)
    assert written == "".join(f"\r\x1b[K{one}" for one in ("one", "two", "thre", "four", "all\n"))


def test_a_time_is_minutes_and_seconds() -> None:
    assert clock(3725.9) == "62:05"
