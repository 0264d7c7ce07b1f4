from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dragonfly_common.cli import main
from patience import PATIENCE_S
from supervisor import cli, demonstration
from supervisor.options import PASSED_ON, given_words


@pytest.fixture(autouse=True)
def a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the usual port to whoever has it: it is looked at before anything starts."""
    monkeypatch.setenv("DRAGONFLY_UP_GATEWAY", "127.0.0.1:0")


@pytest.mark.parametrize(
    ("argv", "named", "remedy"),
    [
        (["up", "--venue", "mtgox"], "mtgox", "binance"),
        (["up", "--linger-s", "-1"], "--linger-s", "x>=0"),
        (["up", "--audit-interval-s", "0"], "--audit-interval-s", "x>=1"),
        (["up", "--tls-cert", "/no/such/file"], "--tls-key", "give both"),
        (["up", "--tokens", "/no/such/file"], "/no/such/file", "No such file"),
        (["up", "--simulated", "--fault", "kraken nonsense"], "nonsense", "silence"),
        (["demo", "--svg", "/no/such/folder/x.svg"], "/no/such/folder/x.svg", "No such file"),
        (["demo", "--gateway", "nowhere"], "nowhere", "HOST:PORT"),
        (["up", "--instrument", "ETHBTC"], "ETHBTC", "ETH-BTC"),
        (["up", "--gateway", "localhost"], "localhost", "HOST:PORT"),
        (["up", "--depth", "0"], "--depth", "1<=x<=100"),
        (["up", "--ws-url", "wss://x"], "--ws-url", "binance=wss://host"),
        (["up", "--venue", "kraken", "--ws-url", "binance=ws://x"], "binance=ws://x", "--venue"),
        (["up", "--ca-file", "/no/such/file"], "/no/such/file", "does not exist"),
        (["up", "--simulated", "--ws-url", "kraken=ws://x"], "--simulated", "leave out"),
        (["up", "--ws-url", "kraken=ftp://x"], "ftp://x", "wss"),
        (["up", "--protocol", "fix"], "--protocol 'fix'", "binance=fix"),
        (["up", "--venue", "kraken", "--fix-key", "binance=a"], "binance=a", "--venue binance"),
        (["up", "--simulated", "--fix-url", "binance=fix://x"], "--simulated", "leave out"),
        (
            ["up", "--simulated", "--venue", "kraken", "--protocol", "kraken=fix"],
            "kraken",
            "leave out --protocol",
        ),
        (["up", "--protocol", "kraken=fix"], "kraken", "leave out --protocol"),
        (["up", "--simulated", "--accounts", __file__], "--accounts", "add --simulated"),
        (["demo", "--accounts", __file__], "--accounts", "add --liquidate"),
        (
            ["up", "--simulated", "--engine", __file__, "--accounts", __file__],
            "have forgotten",
            "name a new --engine",
        ),
        (["demo", "--fault", "kraken nonsense"], "nonsense", "silence"),
        (["demo", "--seconds", "0"], "--seconds", "x>0"),
        (["demo", "--rate", "-1"], "--rate", "0<=x<=1000"),
        (["demo", "--venue", "mtgox"], "mtgox", "binance"),
    ],
)
def test_a_bad_option_gets_one_sentence(argv: list[str], named: str, remedy: str) -> None:
    result = CliRunner().invoke(main, argv)
    assert result.exit_code != 0
    sentence = the_error(result)
    assert named in sentence
    assert remedy in sentence


def the_error(result: Result) -> str:
    """Return the one sentence that says what is wrong: `up` has a log, and it is JSON here."""
    plain = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    logged = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    (sentence,) = plain + [line["event"] for line in logged if line["level"] == "error"]
    return str(sentence)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DRAGONFLY_UP_DEPTH": "0"}, "'DRAGONFLY_UP_DEPTH'"),
        ({"DRAGONFLY_UP_INSTRUMENT": "ETH"}, "'DRAGONFLY_UP_INSTRUMENT'"),
        ({"DRAGONFLY_UP_WS_URL": "wss://x"}, "DRAGONFLY_UP_WS_URL 'wss://x'"),
        ({"DRAGONFLY_UP_SEED": "3"}, "DRAGONFLY_UP_SEED is of simulated venues"),
    ],
)
def test_a_variable_is_called_by_its_name(environment: dict[str, str], named: str) -> None:
    result = CliRunner().invoke(main, ["up"], env=environment)
    assert result.exit_code != 0
    sentence = the_error(result)
    assert named in sentence
    assert not [word for word in ("--depth", "--instrument", "--ws-url") if word in sentence]


@pytest.mark.parametrize("words", [["--seed", "3"], ["--rate=9"], ["--fault", "kraken gap"]])
def test_what_is_of_simulated_venues_needs_them(words: list[str]) -> None:
    result = CliRunner().invoke(main, ["up", *words])
    assert result.exit_code == 78
    assert "--simulated" in the_error(result)


def test_a_fix_gateway_that_may_not_be_open_is_one_sentence_and_the_end() -> None:
    words = ["up", "--simulated", "--venue", "kraken", "--gateway", "127.0.0.1:0"]
    result = CliRunner().invoke(main, [*words, "--fix", "0.0.0.0:0"])
    assert result.exit_code == 78
    sentence = the_error(result)
    assert sentence.startswith("--fix 0.0.0.0:0 lets customers in from elsewhere")
    assert sentence.endswith("or DRAGONFLY_FIX_GATEWAY_PLAIN=true if that is meant")


@pytest.mark.parametrize("option", ["--gateway", "--fix", "--web"])
def test_a_taken_port_is_one_sentence_before_anything_is_started(option: str) -> None:
    words = ["up", "--simulated", "--venue", "kraken", "--gateway", "127.0.0.1:0"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(main, [*words, option, address])
    assert result.exit_code == 78
    sentence = the_error(result)
    assert address in sentence
    assert sentence.endswith(f"choose another {option}")
    assert '"ready"' not in result.stderr


@contextmanager
def run(folder: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command whose files would be left in `folder`."""
    with subprocess.Popen(
        [sys.executable, "-m", "dragonfly_common.cli", *argv],
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_mistake_is_in_the_log_of_a_process_too(tmp_path: Path) -> None:
    with run(tmp_path, "up", "--venue=mtgox") as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert json.loads(said)["level"] == "error"


def session_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of what `process` runs at this moment."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == process.pid
    ]


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None  # it ended meanwhile


def until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    pytest.fail(f"{word!r} was never said")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:  # shorter than pytest's: sockets will be in it
        yield Path(name)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, '"simulator"'),
        (signal.SIGINT, '"event": "up"'),
        (signal.SIGTERM, '"event": "up"'),
        (signal.SIGHUP, '"event": "up"'),
    ],
)
def test_a_signal_ends_up_and_leaves_nothing_behind(
    folder: Path, number: signal.Signals, moment: str
) -> None:
    with run(folder, "up", "--simulated", "--gateway", "127.0.0.1:0") as up:
        until(up, moment)
        ran = session_of(up)
        assert ran != []
        up.send_signal(number)
        up.send_signal(number)  # an impatient person's second one changes nothing
        output, _ = up.communicate(timeout=PATIENCE_S)
        assert up.returncode == 0, output
        assert "Traceback" not in output
    assert not [pid for pid in ran if Path(f"/proc/{pid}").exists()]
    assert list(folder.iterdir()) == []


def test_a_demo_whose_reader_left_ends(folder: Path) -> None:
    with run(folder, "demo", "--seconds", "30") as demo:
        until(demo, "LIVE")
        ran = session_of(demo)
        assert demo.stdout is not None
        demo.stdout.close()
        demo.wait(timeout=PATIENCE_S)
    assert not [pid for pid in ran if Path(f"/proc/{pid}").exists()]
    assert list(folder.iterdir()) == []


def test_up_runs_on_when_nobody_reads_it(folder: Path) -> None:
    with run(folder, "up", "--simulated", "--gateway", "127.0.0.1:0", "--venue", "kraken") as up:
        until(up, '"event": "up"')
        assert up.stdout is not None
        up.stdout.close()
        ran = session_of(up)
        (listener,) = [
            pid for pid in ran if b"listener.kraken" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(listener, signal.SIGKILL)  # there is much to say, and all must come back
        deadline = time.monotonic() + PATIENCE_S
        while len(set(session_of(up)) - set(ran)) != 1:
            assert up.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=PATIENCE_S) == 0
    assert list(folder.iterdir()) == []


def test_a_demo_is_where_bots_look_for_it_or_says_where_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_server(("127.0.0.1", 0)) as page,
    ):
        usual = f"127.0.0.1:{other.getsockname()[1]}"
        for module in (cli, demonstration):
            monkeypatch.setattr(module, "USUAL_GATEWAY", usual)
        monkeypatch.setattr(cli, "USUAL_WEB", f"127.0.0.1:{page.getsockname()[1]}")
        elsewhere = CliRunner().invoke(main, ["demo", "--seconds", "0.2"])
        named = CliRunner().invoke(main, ["demo", "--seconds", "0.2", "--gateway", usual])
    there = CliRunner().invoke(main, ["demo", "--seconds", "0.2"])
    assert f" ({usual} is taken), as long as this runs." in elsewhere.stdout
    assert " books in " in elsewhere.stdout
    assert "The page is http://127.0.0.1:" in elsewhere.stdout
    assert named.exit_code == 78
    assert f"cannot serve bots on {usual}" in the_error(named)
    assert f"Bots of your own connect to {usual}, as long as this runs." in there.stdout
    assert [ran.exit_code for ran in (elsewhere, there)] == [0, 0]
    assert list(folder.iterdir()) == []


def test_the_parts_are_told_what_up_was_told() -> None:
    words = "--linger-s 3 --no-audit --tokens t --seed 7 --fault kraken-gap --fault x --open"
    context = cli.up.make_context("up", words.split())
    assert {part: given_words(context, names) for part, names in PASSED_ON.items()} == {
        "simulator": ["--seed", "7", "--fault", "kraken-gap", "--fault", "x"],
        "listener": ["--linger-s", "3.0", "--no-audit", "--open"],
        "aggregator": ["--linger-s", "3.0", "--open"],
        "engine": ["--linger-s", "3.0", "--open"],
        "together": ["--open"],
        "fix-gateway": ["--tokens", "t", "--linger-s", "3.0", "--open"],
        "gateway": ["--tokens", "t", "--linger-s", "3.0", "--open"],
        "web": ["--tokens", "t", "--open"],
    }


def test_a_demo_without_the_terminal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "entry_points", lambda **_: ())
    result = CliRunner().invoke(main, ["demo", "--seconds", "0.2"])
    assert result.exit_code == 78
    assert "needs the package dragonflybot-terminal" in the_error(result)
