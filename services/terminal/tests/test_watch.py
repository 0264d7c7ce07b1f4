from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dragonfly_client import NotFoundError, UnavailableError
from dragonfly_client.errors import error_of_status
from dragonfly_common.cli import main
from dragonfly_common.wording import command_name
from dragonfly_protos import market_data_pb2 as pb
from grpc import StatusCode
from patience import PATIENCE_S, patiently
from rich.console import Console
from stub_gateway import StubGateway, make_book
from terminal import cli, gateway, screens
from terminal.latency import LatencyScreen, as_json
from terminal.statistics import WatchSummary
from terminal.watch import run_watch

COMMAND = [sys.executable, "-m", "dragonfly_common.cli", "watch"]


@contextlib.asynccontextmanager
async def moving(gateway: StubGateway) -> AsyncIterator[None]:
    """Publish a book every few milliseconds, kraken's going stale now and then."""

    async def publish() -> None:
        for seq in range(1, 1 << 31):
            stale = {"kraken": (pb.STATE_STALE, "silent for 1.0 s")} if 3 < seq % 40 < 14 else {}
            gateway.publish(make_book(seq=seq, mid=0.07 + seq * 1e-7, states=stale))
            await asyncio.sleep(0.005)

    publishing = asyncio.create_task(publish())
    yield
    publishing.cancel()


def plain_console() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=80)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_without_a_terminal_lines_and_a_summary(gateway: StubGateway) -> None:
    console = plain_console()
    async with moving(gateway):
        summary = await run_watch(
            gateway.address, ["ETH-BTC"], seconds=1.0, console=console, notices=lambda: ["told"]
        )
    lines = printed(console).splitlines()
    prices = [line for line in lines if " bid " in line]
    assert 2 <= len(prices) <= 11
    assert lines.count("told") == 1
    assert "ETH-BTC    kraken STALE: silent for 1.0 s" in lines
    assert "\x1b" not in printed(console)
    assert summary.updates["binance"] > 10
    assert summary.latency is not None
    assert [(fault.venue, fault.reason) for fault in summary.faults] == [
        ("kraken", "silent for 1.0 s")
    ]
    assert any(line.startswith(f"ETH-BTC: {summary.books} books in ") for line in lines)
    await gateway.until(lambda: gateway.open_calls == 0)


@pytest.mark.parametrize("terminal", [True, False])
async def test_latency_is_a_table_that_stays(gateway: StubGateway, *, terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80, height=24)
    async with moving(gateway):
        await run_watch(
            gateway.address,
            ["ETH-BTC"],
            seconds=0.4,
            console=console,
            screen=LatencyScreen(console),
        )
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed(console))
    last = plain[plain.rindex(" p50 ") :]
    assert "socket to bot" in last
    assert "binance" in last
    assert ("\x1b" in printed(console)) is terminal
    assert ("█" in last) is not terminal  # there is no room for bars in 80 columns


async def test_latency_as_json_is_all_that_is_printed(gateway: StubGateway) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    screen = LatencyScreen(console, as_json)
    async with moving(gateway):
        await run_watch(gateway.address, ["ETH-BTC"], seconds=0.2, console=console, screen=screen)
    said = json.loads(printed(console))
    assert said["hop"]["socket to bot"]["count"] > 5


async def test_in_a_terminal_a_ladder_that_stays(gateway: StubGateway, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    picture = tmp_path / "ladder.svg"
    async with moving(gateway):
        await run_watch(gateway.address, ["ETH-BTC"], seconds=0.4, console=console, svg=picture)
    assert "spread" in printed(console)
    assert re.search(r"ETH-BTC: \d+ books in \d\.\d s", printed(console))
    assert picture.read_text().startswith("<svg")
    assert "bitstamp" in picture.read_text()


@pytest.mark.parametrize("width", [40, 60])
async def test_a_dumb_terminal_has_lines_that_break_between_words(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    environment = {"TERM": "dumb"}
    console = Console(file=io.StringIO(), force_terminal=True, _environ=environment)
    async with moving(gateway):
        await run_watch(gateway.address, ["ETH-BTC"], seconds=0.4, console=console)
    lines = printed(console).splitlines()
    assert "\x1b" not in printed(console)
    assert all(len(line) <= width for line in lines)
    prices = re.findall(r"@\s+(\S+)", printed(console))
    assert prices
    assert all(re.fullmatch(r"0\.\d{2,8}", price) for price in prices)
    assert any(line.startswith("ETH-BTC: ") for line in lines)


async def test_latency_in_a_dumb_terminal_says_that_it_measures(gateway: StubGateway) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    screen = LatencyScreen(console)
    async with moving(gateway):
        await run_watch(gateway.address, ["ETH-BTC"], seconds=0.3, console=console, screen=screen)
    assert printed(console).startswith("measuring; Ctrl-C ends it")
    assert "socket to bot" in printed(console)
    assert "\x1b" not in printed(console)


@pytest.mark.parametrize("width", [40, 60])
async def test_latency_in_a_narrow_terminal_names_what_it_leaves_out(
    gateway: StubGateway, width: int
) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=12)
    screen = LatencyScreen(console)
    async with moving(gateway):
        await run_watch(gateway.address, ["ETH-BTC"], seconds=1.2, console=console, screen=screen)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed(console))
    last = plain[plain.rindex(" p50 ") :]
    assert "no room for p99.9" in last
    assert "socket to bot" in last
    assert "…" not in last
    assert re.search(r"\d+ more rows", plain)
    assert "\n..." not in plain.replace(" ", "")  # as rich cuts what is too high


async def test_a_cancellation_ends_with_the_summary(gateway: StubGateway) -> None:
    console = plain_console()
    async with moving(gateway):
        watching = asyncio.create_task(
            run_watch(gateway.address, ["ETH-BTC"], seconds=None, console=console)
        )
        await gateway.until(lambda: gateway.acked > 3)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
    assert "latency" in printed(console)
    await gateway.until(lambda: gateway.open_calls == 0)


async def test_a_reconnect_is_told_and_counted(gateway: StubGateway) -> None:
    console = plain_console()

    async def restart() -> None:
        await gateway.until(lambda: gateway.acked > 3)
        await gateway.stop()
        await gateway.start()

    async with moving(gateway):
        restarting = asyncio.create_task(restart())
        summary = await run_watch(gateway.address, ["ETH-BTC"], seconds=1.5, console=console)
        await restarting
    assert summary.reconnects == 1
    assert re.search(
        r"^disconnected: .+\n(?:.*\n)*reconnected after \d\.\d\d s$", printed(console), re.MULTILINE
    )


async def test_what_the_gateway_refuses_is_raised(gateway: StubGateway) -> None:
    with pytest.raises(NotFoundError, match="FOO-BAR"):
        await run_watch(gateway.address, ["FOO-BAR"], seconds=1, console=plain_console())


async def test_waiting_is_said(gateway: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "PATIENCE_S", 0.0)
    console = plain_console()
    watching: asyncio.Task[WatchSummary] = asyncio.create_task(
        run_watch(gateway.address, ["ETH-BTC"], seconds=0.2, console=console)
    )
    await gateway.until(lambda: gateway.open_calls == 1)
    async with patiently():
        while "waiting" not in printed(console):  # noqa: ASYNC110  (a console tells nobody)
            await asyncio.sleep(0.01)
    gateway.publish(make_book())
    await watching
    assert f"waiting for the first book from {gateway.address}" in printed(console)


async def test_no_gateway_ends_the_watch(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.stop()
    monkeypatch.setattr("terminal.watch.CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(UnavailableError, match="no gateway"):
        await run_watch(gateway.address, ["ETH-BTC"], seconds=1, console=plain_console())


def test_no_gateway_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal.watch.CONNECT_TIMEOUT_S", 0.1)
    with pytest.raises(gateway.NoGatewayError) as told:
        cli.watch.main(["--gateway", "127.0.0.1:1"], standalone_mode=False)
    assert "no gateway at 127.0.0.1:1 within 0.1 s" in str(told.value)
    assert f"start one with `{command_name()} up`" in str(told.value)
    assert told.value.exit_code == 69


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["watch", *arguments])


@pytest.mark.parametrize(
    ("details", "remedy"),
    [
        ("x; last error: UNKNOWN: ipv4:1.2.3.4:5: Socket closed", "give --tls, --ca-file"),
        ("x; last error: UNKNOWN: ipv4:1.2.3.4:5: Connection refused", "start one with"),
        ("x: OPENSSL_internal:WRONG_VERSION_NUMBER: x", "leave TLS and its files out"),
        ("x: CERTIFICATE_VERIFY_FAILED: self signed", "give the --ca-file that signed it"),
    ],
)
def test_the_remedy_fits_what_went_wrong(details: str, remedy: str) -> None:
    async def fail() -> None:
        raise error_of_status(StatusCode.UNAVAILABLE, details)

    with pytest.raises((gateway.NoGatewayError, gateway.RequestError)) as told:
        gateway.run_bot(fail())
    remedies = ["--tls,", "start one", "leave TLS", "--ca-file that"]
    assert remedy in str(told.value)
    assert sum(one in str(told.value) for one in remedies) == 1


def test_the_command_prints_lines(stub_address: str) -> None:
    ran = subprocess.run(
        [*COMMAND, "--gateway", stub_address, "--seconds", "0.5", "eth-btc", "BTC-USD"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "ETH-BTC BTC-USD: " in ran.stdout
    assert "faults     none" in ran.stdout


@pytest.mark.parametrize("place", ["file", "variable", "nowhere"])
async def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path, place: str) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")
    arguments = ["--token-file", str(file)] if place == "file" else []
    environment = {**os.environ, "DRAGONFLY_WATCH_TOKEN": "secret" if place == "variable" else ""}
    async with StubGateway(token="secret") as gateway:
        command = [*COMMAND, "--gateway", gateway.address, "--list", *arguments]
        ran = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await ran.communicate()
    if place == "nowhere":
        remedy = b"give --token-file FILE, or set DRAGONFLY_WATCH_TOKEN"
        assert (ran.returncode, err) == (2, b"Error: no token: " + remedy + b"\n")
    else:
        assert (ran.returncode, out) == (0, b"ETH-BTC        binance\n")


def test_an_unlisted_name_among_others_is_told_in_the_words_of_the_line(stub_address: str) -> None:
    ran = run("--gateway", stub_address, "--seconds", "0.5", "FOO-BAR", "ETH-BTC")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert re.search(r"^no venue lists FOO-BAR: see `.*instruments`$", ran.stdout, re.MULTILINE)
    assert "ETH-BTC    binance LIVE" in ran.stdout


def test_the_command_lists(stub_address: str) -> None:
    ran = run("--gateway", stub_address, "--list")
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == ["ETH-BTC        binance", "BTC-USD        binance"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["FOO-BAR"], 2, " instruments`"),
        (["nonsense"], 2, "'nonsense' is not an instrument"),
        (["--ca-file", "/nowhere.pem"], 2, "--ca-file '/nowhere.pem' cannot be read"),
        (["--cert-file", "/nowhere.pem"], 2, "--cert-file and --key-file belong together"),
        (["--token-file", "/nowhere"], 2, "--token-file '/nowhere' cannot be read"),
        (["--svg", "/nowhere/ladder.svg"], 2, "No such file or directory"),
        (["--proxy", "socks5://u:secret@a:1"], 2, "proxy 'socks5://a:1' cannot be used"),
        (["--gateway", "nowhere"], 2, "'nowhere' is no gateway's address: write HOST:PORT"),
        (["--seconds", "0"], 2, "--seconds"),
        (["--json", "--csv"], 78, "--json and --csv exclude each other: give one"),
    ],
)
def test_a_mistake_is_one_sentence(
    stub_address: str, arguments: list[str], code: int, sentence: str
) -> None:
    ran = run("--gateway", stub_address, *arguments)
    assert ran.exit_code == code
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(stub_address: str, number: signal.Signals) -> None:
    command = [*COMMAND, "--gateway", stub_address]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        assert "ETH-BTC" in ran.stdout.readline()
        ran.send_signal(number)
        out, err = ran.communicate(timeout=PATIENCE_S)
    assert (ran.returncode, err) == (0, "")
    assert "books in" in out


def test_ctrl_c_gives_the_terminal_back(stub_address: str) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [*COMMAND, "--gateway", stub_address]
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment
    ) as ran:
        os.close(follower)
        seen = b""
        while b"spread" not in seen:
            seen += os.read(leader, 65536)
        ran.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # Linux ends a terminal's output so
            while chunk := os.read(leader, 65536):
                seen += chunk
    os.close(leader)
    assert ran.returncode == 0
    enter, leave = seen.index(b"\x1b[?1049h"), seen.index(b"\x1b[?1049l")
    assert enter < leave
    assert b"books in" in seen[leave:]
    assert b"\x1b[?25h" in seen
