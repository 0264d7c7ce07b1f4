"""The two commands as a person meets them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from dragonfly_common.cli import main
from loopback import accepting
from patience import patiently
from venue_client import dial, get
from venue_simulator import cli
from venue_simulator.simulator import Simulator
from venue_simulator.venues import VENUES


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--venue", "mtgox"], "mtgox"),
        (["--rate", "-1"], "--rate"),
        (["--rate", "1001"], "--rate"),
        (["--port", "70000"], "70000"),
        (["--speed", "0"], "--speed"),
        (["--fault", "earthquake"], "earthquake"),
        (["--fault", "kraken gap at=soon"], "at=soon"),
        (["--venue", "kraken", "--fault", "binance gap"], "binance"),
        (["--instrument", "ETH"], "ETH"),
    ],
)
def test_a_bad_option_gets_one_sentence(argv: list[str], named: str) -> None:
    result = CliRunner().invoke(main, ["simulator", *argv])
    assert result.exit_code != 0
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert named in sentence
    assert "Traceback" not in result.stderr


def test_options_are_environment_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGONFLY_SIMULATOR_FAULT", "kraken gap;kraken mute at=2")
    monkeypatch.setenv("DRAGONFLY_SIMULATOR_VENUE", "kraken bitstamp")
    command = main.get_command(click.Context(main), "simulator")
    assert command is cli.simulator
    context = command.make_context("simulator", [])
    assert context.params["faults"] == ("kraken gap", "kraken mute at=2")
    assert context.params["venue"] == ("kraken", "bitstamp")


async def test_what_is_not_there_gets_one_sentence_too() -> None:
    process = await spawn("--captures=/no/such/folder")
    async with patiently():
        _, errors = await process.communicate()
    assert process.returncode
    (sentence,) = [line for line in errors.decode().splitlines() if line.startswith("Error:")]
    assert "/no/such/folder" in sentence
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("command", ["simulator", "fault"])
def test_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert f"dragonfly {command} --" in result.stdout


def test_nobody_at_the_control_page() -> None:
    argv = ["fault", "--control", "http://127.0.0.1:1/control", "binance", "close"]
    result = CliRunner().invoke(main, argv)
    assert result.exit_code != 0
    assert "http://127.0.0.1:1/control" in result.stderr


@pytest.mark.parametrize("url", ["nowhere", "file:///etc/passwd"])
def test_a_control_page_is_an_http_address(url: str) -> None:
    result = CliRunner().invoke(main, ["fault", "--control", url, "binance", "close"])
    assert result.exit_code != 0
    assert url in result.stderr


async def fault(simulator: Simulator, *argv: str) -> Any:
    arguments = ["fault", "--control", simulator.control_url, *argv]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def test_a_fault_is_injected(simulator: Simulator) -> None:
    result = await fault(simulator, "kraken", "mute", "--instrument", "ETH-BTC", "--seconds", "1")
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "fault": "mute",
        "venue": "kraken",
        "instrument": "ETH-BTC",
        "seconds": 1.0,
    }
    assert [each.kind for each in simulator.truth.faults] == ["mute"]


async def test_a_fault_is_ended(simulator: Simulator) -> None:
    await fault(simulator, "kraken", "silence", "--seconds", "86400")
    assert not simulator.faults._exchanges["kraken"].audible.is_set()
    result = await fault(simulator, "kraken", "silence", "--clear")
    assert json.loads(result.stdout.splitlines()[-1]) == {"cleared": 1}
    assert simulator.faults._exchanges["kraken"].audible.is_set()
    assert '{"cleared":0}' in (await fault(simulator, "--clear")).stdout


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["kraken", "silence", "--seconds", "1e18"], "--seconds"),
        (["kraken", "silence", "--seconds", "inf"], "--seconds"),
        (["kraken", "--clear", "--seconds", "1"], "--clear"),
        (["kraken"], "KIND"),
        ([], "VENUE"),
        (["mtgox", "--clear"], "mtgox"),
    ],
)
async def test_a_fault_that_cannot_be_gets_one_sentence(
    simulator: Simulator, argv: list[str], named: str
) -> None:
    result = await fault(simulator, *argv)
    assert result.exit_code not in {0, 1}
    (sentence,) = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert named in sentence
    assert not simulator.faults._timers


@pytest.mark.parametrize(
    "words",
    [
        b"\x00\x00\x12\x04\x00",
        b"HTTP/1.1 200 OK\r\n\r\n\xff",
        b'HTTP/1.1 200 OK\r\n\r\n{"fault":""}',
        b'HTTP/1.1 404 Not Found\r\n\r\n{"error":"there is GET /v1/venues"}',
        b"",
    ],
)
async def test_who_speaks_something_else_is_no_control_page(words: bytes) -> None:
    """A gateway's port, for one, begins with an HTTP/2 frame."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(words)
        writer.close()

    async with accepting(answer) as port:
        url = f"http://127.0.0.1:{port}/control"
        arguments = ["fault", "--control", url, "kraken", "gap"]
        result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert result.exit_code == 78
    assert url in result.stderr
    assert "/v1/venues" not in result.stderr


async def test_a_refused_fault_says_why(simulator: Simulator) -> None:
    result = await fault(simulator, "kraken", "earthquake")
    assert result.exit_code != 0
    assert "earthquake" in result.stderr


@pytest.mark.parametrize("venue", ["kraken", "binance"])
async def test_a_page_that_is_not_ours(simulator: Simulator, venue: str) -> None:
    """Kraken answers 200 to anything, Binance 404."""
    arguments = ["fault", "--control", simulator.rest_url(venue), venue, "gap"]
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert result.exit_code != 0
    assert "no control page" in result.stderr


async def spawn(*argv: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dragonfly_common.cli", "simulator", "--log-format=json", *argv),
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if "DRAGONFLY" not in name},
    )


async def first_said(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return what a process logs first, but for a pause that a busy machine gave it."""
    assert process.stderr is not None
    facts: dict[str, Any] = {"event": "process paused"}
    async with patiently():
        while facts["event"] == "process paused":
            facts = json.loads(await process.stderr.readline())
    return facts


@asynccontextmanager
async def running(*argv: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """Run `dragonfly simulator` and yield it with the facts of its `ready`."""
    process = await spawn(*argv)
    try:
        ready = await first_said(process)
        assert ready["event"] == "ready"
        yield process, ready
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_process_says_where_it_is_and_ends_when_asked(tmp_path: Path) -> None:
    log = tmp_path / "truth.ndjson"
    plan = "kraken bad_checksum every=0.01"
    async with running("--rate=50", f"--truth-log={log}", f"--fault={plan}") as (process, ready):
        kraken = ready["venues"]["kraken"]
        assert kraken == {
            "ws": f"ws://{ready['address']}/kraken",
            "rest": f"http://{ready['address']}/kraken",
        }
        assert ready["control"] == f"http://{ready['address']}/control"
        assert (await get(f"{ready['control']}/subscriptions")).status == 200
        async with dial(kraken["ws"] + "/v2") as wire:
            await wire.hear()
            params = {"channel": "book", "symbol": ["ETH/BTC"]}
            await wire.ask({"method": "subscribe", "params": params})
            for _ in range(10):
                await wire.hear()
            process.send_signal(signal.SIGTERM)
            async with patiently():
                assert await process.wait() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["venue"] for line in lines} == set(VENUES)
    assert "bad_checksum" in {line.get("fault") for line in lines}


@pytest.mark.parametrize(
    ("words", "warned"), [(["--host="], True), (["--host=0.0.0.0", "--open"], False), ([], False)]
)
async def test_a_simulator_that_others_reach_says_so(words: list[str], warned: bool) -> None:
    process = await spawn("--rate=0", *words)
    try:
        first = await first_said(process)
    finally:
        process.kill()
        await process.communicate()
    assert first["event"] == ("open to other machines" if warned else "ready")
    assert first["level"] == ("warning" if warned else "info")


async def test_rate_may_be_high(tmp_path: Path) -> None:
    """A thousand states a second and venue: none is lost on the way to a client that reads."""
    async with running("--rate=1000", "--venue=binance") as (_, ready):
        url = ready["venues"]["binance"]["ws"] + "/stream?streams=ethbtc@depth@100ms"
        async with dial(url) as wire:
            diffs = [(await wire.hear())["data"] for _ in range(1000)]
    for before, after in pairwise(diffs):
        assert after["U"] == before["u"] + 1
