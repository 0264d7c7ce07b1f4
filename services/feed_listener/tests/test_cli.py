from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dragonfly_common.cli import main
from dragonfly_common.errors import ExitCode
from dragonfly_venues.registry import venue_names

VENUES = ", ".join(venue_names())


def run(*arguments: str, bind: str = "ipc:///tmp/unused.ipc") -> Result:
    return CliRunner().invoke(main, ["listener", "--bind", bind, *arguments])


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["--venue", "mtgox"], f"choose {VENUES}", ExitCode.CONFIG),
        (
            ["--venue", "kraken", "--ws-url", "http://x"],
            "--ws-url 'http://x' is not",
            ExitCode.CONFIG,
        ),
        (["--venue", "kraken", "--rest-url", "x"], "write http or https://host", ExitCode.CONFIG),
        (["--venue", "kraken", "--ca-file", "/no/such.pem"], "cannot be read", ExitCode.CONFIG),
        (["--venue", "kraken", "--depth", "101"], "1<=x<=100", ExitCode.USAGE),
        (["--venue", "kraken", "--depth", "0"], "1<=x<=100", ExitCode.USAGE),
        (["--venue", "kraken", "--instrument", "BTC/USD"], "write BASE-QUOTE", ExitCode.USAGE),
        (["--venue", "kraken", "--linger-s", "-1"], "x>=0", ExitCode.USAGE),
        ([], "Missing option '--venue'", ExitCode.USAGE),
    ],
)
def test_a_bad_option_is_said_in_a_sentence(
    arguments: list[str], sentence: str, code: ExitCode
) -> None:
    result = run(*arguments)
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert result.exit_code == code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--venue", "kraken", "--protocol", "fix"], "kraken cannot be listened to by fix"),
        (["--venue", "binance", "--protocol", "fix"], "wants the key of an account"),
        (["--venue", "binance", "--fix-key", "a.pem"], "the key a.pem is used by --protocol fix"),
        (["--venue", "binance", "--fix-url", "fix://x"], "--fix-url fix://x is used by"),
        (
            ["--venue", "binance", "--protocol", "fix", "--ws-url", "wss://x"],
            "--ws-url wss://x is not connected to by --protocol fix",
        ),
        (
            ["--venue", "binance", "--protocol", "fix", "--fix-url", "fix://fix.example"],
            "would show the API key to whoever is on the way",
        ),
        (
            [
                *("--venue", "binance", "--protocol", "fix"),
                *("--fix-key", "/no/key", "--fix-api-key", "/no/name"),
            ],
            "--fix-key /no/key cannot be read: no such file",
        ),
    ],
)
def test_what_a_protocol_lacks_is_said_in_a_sentence(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert result.exit_code == ExitCode.CONFIG


def test_what_signs_is_loaded_by_who_asks_for_fix_alone() -> None:
    loaded = "import sys, feed_listener.cli; print('cryptography' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert said.stdout == "False\n"


def test_a_bad_address_is_said_in_a_sentence() -> None:
    result = run("--venue", "kraken", bind="http://host")
    assert "is not a bus address" in result.output
    assert result.exit_code == ExitCode.CONFIG


def test_help_shows_an_example() -> None:
    result = CliRunner().invoke(main, ["listener", "--help"])
    assert "dragonfly listener --venue kraken" in result.output
    assert VENUES in " ".join(result.output.split())


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "dragonfly_common.cli", "listener", "--log-format", "json"),
            *("--bind", f"ipc://{tmp_path}/l.ipc", *arguments),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("DRAGONFLY_")},
    )


def test_an_unreachable_venue_is_not_fatal_and_said_once(tmp_path: Path) -> None:
    nowhere = ("--ws-url", "ws://127.0.0.1:1", "--rest-url", "http://127.0.0.1:1")
    with start(tmp_path, "--venue", "binance", "--instrument", "eth-btc", *nowhere) as process:
        assert process.stderr is not None
        events: list[dict[str, str]] = []
        while not events or events[-1]["event"] != "instruments not loaded":
            events.append(json.loads(process.stderr.readline()))
        process.send_signal(signal.SIGTERM)
        events += map(json.loads, process.stderr.read().splitlines())
        assert process.wait(5) == ExitCode.STOPPED
    ready = next(event for event in events if event["event"] == "ready")
    assert ready["address"] == f"ipc://{tmp_path}/l.ipc"
    assert ready["instance"].startswith("listener-binance@")
    failures = [event for event in events if event["event"] == "instruments not loaded"]
    assert len(failures) == 1
    assert "cannot be reached" in failures[0]["reason"]


def test_an_address_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    nowhere = ("--ws-url", "ws://127.0.0.1:1", "--rest-url", "http://127.0.0.1:1")
    with start(tmp_path, "--venue", "kraken", *nowhere) as first:
        assert first.stderr is not None
        assert json.loads(first.stderr.readline())["event"] == "ready"
        with start(tmp_path, "--venue", "kraken", *nowhere) as second:
            assert second.stderr is not None
            assert "a running process serves it" in second.stderr.read()
            assert second.wait(5) == ExitCode.CONFIG
        first.send_signal(signal.SIGTERM)
        first.stderr.read()
        assert first.wait(5) == ExitCode.STOPPED
