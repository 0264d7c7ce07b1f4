"""The log: one line an event, for machines or for people, from every thread, to whoever reads."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
import structlog
from dragonfly_common import log

Capture = pytest.CaptureFixture[str]


def test_an_event_is_one_json_object_a_line(capsys: Capture) -> None:
    log.configure("info", "json", "gateway", "gateway@here")
    structlog.get_logger().info("feed stale", venue="kraken", odd=object, text="two\nlines")
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event.pop("odd")
    assert event == {
        "event": "feed stale",
        "level": "info",
        "service": "gateway",
        "instance": "gateway@here",
        "venue": "kraken",
        "text": "two\nlines",
    }


def test_every_thread_signs_its_lines_and_facts_keep_their_names(capsys: Capture) -> None:
    log.configure("info", "json", "gateway", "gateway@here")
    thread = threading.Thread(
        target=structlog.get_logger().info, args=("told",), kwargs={"service": "other"}
    )
    thread.start()
    thread.join()
    event = json.loads(capsys.readouterr().err)
    assert (event["service"], event["instance"]) == ("other", "gateway@here")


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("error", 1)])
def test_what_is_below_the_level_is_not_shown(capsys: Capture, level: str, shown: int) -> None:
    log.configure(level, "json", "s", "i")
    logger = structlog.get_logger()
    logger.debug("a")
    logger.info("b")
    logger.warning("c")
    logger.error("d")
    assert len(capsys.readouterr().err.splitlines()) == shown


def test_auto_is_json_where_no_person_looks(capsys: Capture) -> None:
    log.configure("info", "auto", "s", "i")
    structlog.get_logger().info("told")
    assert json.loads(capsys.readouterr().err)["event"] == "told"


def test_rich_is_not_loaded_by_who_never_prints_with_it() -> None:
    program = "import sys, dragonfly_common.cli; print('rich' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"


def test_auto_is_for_people_on_a_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    log.configure("info", "auto", "s", "i")
    structlog.get_logger().info("told")
    line = capsys.readouterr().err
    assert "told" in line
    assert "{" not in line


def fail(why: str) -> None:
    raise ValueError(why)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_nothing_that_others_said_moves_the_cursor(
    capsys: Capture, log_format: log.LogFormat
) -> None:
    log.configure("info", log_format, "s", "i")
    hostile = "\x1b]0;mine\x07 \x9b2J \u202e"
    try:
        fail(hostile)
    except ValueError:
        structlog.get_logger().exception(hostile, reason=hostile, symbols=(hostile,))
    lines = capsys.readouterr().err.splitlines()
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_is_shown_once(capsys: Capture, log_format: log.LogFormat) -> None:
    log.configure("info", log_format, "s", "i")
    try:
        ["found"].index("lost")
    except ValueError:
        structlog.get_logger().exception("process failed")
    assert capsys.readouterr().err.count("ValueError: 'lost'") == 1


def test_a_log_that_nobody_can_read_disturbs_nobody(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(sys.stderr, "write", fail)
    log.configure("info", "json", "s", "i")
    structlog.get_logger().info("told to nobody")
