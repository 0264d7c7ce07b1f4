"""A process begins, says that it is ready, and ends in time with a code that says why."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from dragonfly_common.clock import ManualClock
from dragonfly_common.runtime import (
    COLLECT_INTERVAL_S,
    END_LIMIT_S,
    LAST_WORDS_S,
    SUPERVISED,
    Runtime,
    RuntimeOptions,
    runtime_options,
)
from patience import PATIENCE_S
from prometheus_client import REGISTRY

PROMISED_S = 2.0


PREAMBLE = """
import asyncio, os, sys, threading, time
import structlog
from dragonfly_common import runtime as module
from dragonfly_common.errors import ConfigError, InstrumentError
from dragonfly_common.runtime import RuntimeOptions, run_async, run_loop

FOR_EVER_S = 86400
module.END_LIMIT_S = FOR_EVER_S
OPTIONS = RuntimeOptions("unit", "info", "json", os.environ.get("STATUS"))
"""
ENDLESS_ASYNC = """
async def main(runtime):
    runtime.ready(address="here")
    try:
        while True:
            runtime.beat()
            await asyncio.sleep(0.01)
    finally:
        print("cleaned", flush=True)

run_async("service", OPTIONS, main)
"""
ENDLESS_LOOP = """
def main(runtime):
    runtime.ready(address="here")
    while not runtime.stopping:
        runtime.beat()
        time.sleep(0.01)
    print("cleaned", flush=True)

run_loop("service", OPTIONS, main)
"""

Event = dict[str, Any]


class Child:
    """A process of its own, and its log."""

    def __init__(self, folder: Path, source: str, **environment: str) -> None:
        script = folder / "service.py"
        script.write_text(PREAMBLE + textwrap.dedent(source))
        self.process = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def lines(self) -> Iterator[str]:
        assert self.process.stderr is not None
        return iter(self.process.stderr.readline, "")

    def event(self, name: str) -> Event:
        """Read the log until an event of this name."""
        seen = []
        for line in self.lines():
            seen.append(line)
            if line.startswith("{") and (event := json.loads(line))["event"] == name:
                return dict(event)
        raise AssertionError(f"no {name!r} in {seen}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        """Return the exit code, and the rest of its output and of its log."""
        output, log = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, output, log

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:
            pass


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Start processes that end with the test."""
    children: list[Child] = []

    def start(source: str, **environment: str) -> Child:
        children.append(Child(tmp_path, source, **environment))
        return children[-1]

    yield start
    for started in children:
        started.end()


# Ways to end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("source", [ENDLESS_ASYNC, ENDLESS_LOOP], ids=["async", "loop"])
def test_a_signal_ends_it_with_code_zero(
    child: Callable[..., Child], source: str, number: int
) -> None:
    service = child(source)
    ready = service.event("ready")
    assert ready | {"service": "service", "instance": "unit", "address": "here"} == ready
    service.signal(number)
    ended = service.event("process ended")
    code, output, log = service.ended()
    assert (code, output, log) == (0, "cleaned\n", "")
    assert (ended["code"], ended["signal"]) == (0, signal.Signals(number).name)


def test_a_second_signal_does_not_cut_short_what_the_first_began(
    child: Callable[..., Child],
) -> None:
    service = child("""
        async def main(runtime):
            runtime.ready()
            try:
                await asyncio.sleep(FOR_EVER_S)
            finally:
                structlog.get_logger().info("cleaning")
                await asyncio.sleep(0.3)
                print("cleaned", flush=True)

        run_async("service", OPTIONS, main)
    """)
    service.event("ready")
    service.signal(signal.SIGINT)
    service.event("cleaning")
    service.signal(signal.SIGTERM)
    assert service.ended()[:2] == (0, "cleaned\n")


def test_a_main_function_that_returns_ends_it_with_code_zero(child: Callable[..., Child]) -> None:
    service = child("""
        async def main(runtime):
            pass

        run_async("service", OPTIONS, main)
    """)
    assert service.ended()[0] == 0


@pytest.mark.parametrize(
    "raising",
    [
        "raise ConfigError('these two options contradict each other')",
        "async with asyncio.TaskGroup() as group: group.create_task(nested(1))",
        "async with asyncio.TaskGroup() as group: group.create_task(nested(2))",
    ],
    ids=["bare", "in a group", "in a group of a group"],
)
def test_a_person_s_mistake_is_one_sentence_and_its_code(
    child: Callable[..., Child], raising: str
) -> None:
    service = child(f"""
        async def nested(deep):
            if deep == 1:
                raise ConfigError('these two options contradict each other')
            async with asyncio.TaskGroup() as group:
                group.create_task(nested(deep - 1))
                group.create_task(asyncio.sleep(FOR_EVER_S))

        async def main(runtime):
            {raising}

        run_async("service", OPTIONS, main)
    """)
    code, output, log = service.ended()
    sentence, ended, *rest = log.splitlines()
    assert sentence == "Error: these two options contradict each other"
    assert json.loads(ended)["event"] == "process ended"
    assert (code, output, rest) == (78, "", [])


def test_a_mistake_of_a_plain_loop_has_its_own_code(child: Callable[..., Child]) -> None:
    service = child("""
        def main(runtime):
            raise InstrumentError("'ETH' is not an instrument")

        run_loop("service", OPTIONS, main)
    """)
    code, _, log = service.ended()
    assert code == 2
    assert log.startswith("Error: 'ETH' is not an instrument\n")


@pytest.mark.parametrize(
    "raising",
    [
        "raise LookupError('lost')",
        "raise ExceptionGroup('both', [ConfigError('a mistake'), LookupError('lost')])",
    ],
    ids=["alone", "beside a mistake"],
)
def test_a_bug_is_a_traceback_on_the_log_and_code_one(
    child: Callable[..., Child], raising: str
) -> None:
    service = child(f"""
        async def main(runtime):
            {raising}

        run_async("service", OPTIONS, main)
    """)
    failed = service.event("process failed")
    assert "LookupError: lost" in failed["exception"]
    assert "Traceback" in failed["exception"]
    assert service.event("process ended")["code"] == 1
    assert service.ended()[0] == 1


def test_a_status_address_that_is_taken_is_one_sentence(child: Callable[..., Child]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, _, log = child(ENDLESS_ASYNC, STATUS=address).ended()
    assert code == 78
    assert log.splitlines() == [
        f"Error: cannot serve the status page on {address}: Address already in use; choose another"
    ]


# Nothing holds up the end

HANGING = {
    "thread": "threading.Thread(target=time.sleep, args=(FOR_EVER_S,), name='stuck').start()",
    "executor": "asyncio.get_running_loop().run_in_executor(None, time.sleep, FOR_EVER_S)",
    "cleanup": "asyncio.current_task().add_done_callback(lambda _: time.sleep(FOR_EVER_S))",
}


@pytest.mark.parametrize("hanging", HANGING)
def test_what_hangs_does_not_hold_up_the_end(child: Callable[..., Child], hanging: str) -> None:
    service = child(f"""
        module.END_LIMIT_S = 0.5

        async def main(runtime):
            {HANGING[hanging]}
            runtime.ready()
            while True:
                runtime.beat()
                await asyncio.sleep(0.01)

        run_async("service", OPTIONS, main)
    """)
    service.event("ready")
    service.signal(signal.SIGTERM)
    forced = service.event("end forced")
    assert service.ended()[0] == 0
    if hanging == "thread":
        assert "stuck" in forced["threads"]


def test_a_mistake_is_told_in_time_though_a_thread_hangs(child: Callable[..., Child]) -> None:
    service = child("""
        module.END_LIMIT_S = 0.5

        def main(runtime):
            threading.Thread(target=time.sleep, args=(FOR_EVER_S,)).start()
            raise ConfigError("these two options contradict each other")

        run_loop("service", OPTIONS, main)
    """)
    assert service.ended()[0] == 78


def test_a_log_that_nobody_reads_does_not_hold_up_the_end(child: Callable[..., Child]) -> None:
    service = child("""
        module.END_LIMIT_S = 0.5

        def main(runtime):
            runtime.ready()
            while not runtime.stopping:
                runtime.beat()
                structlog.get_logger().info("noise", much="x" * 10_000)

        run_loop("service", OPTIONS, main)
    """)
    service.event("ready")
    # It is stuck in a full pipe, or will be by the time that the signal comes.
    service.signal(signal.SIGTERM)
    assert service.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("source", [ENDLESS_ASYNC, ENDLESS_LOOP], ids=["async", "loop"])
def test_a_log_whose_reader_is_gone_ends_nothing(child: Callable[..., Child], source: str) -> None:
    service = child(source.replace("runtime.beat()", "structlog.get_logger().info('turn')"))
    service.event("ready")
    assert service.process.stderr is not None
    service.process.stderr.close()
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(0.2)
    service.signal(signal.SIGTERM)
    service.process.wait(PATIENCE_S)
    assert service.process.stdout is not None
    assert service.process.stdout.read() == "cleaned\n"


def test_the_end_of_its_supervisor_is_its_own(child: Callable[..., Child]) -> None:
    service = child(ENDLESS_ASYNC, **{SUPERVISED: "1"})
    service.event("ready")
    assert service.process.stdin is not None
    service.process.stdin.write("whatever it says\n")
    service.process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(0.1)
    service.process.stdin.close()
    service.process.stdin = None
    assert service.event("process ended")["signal"] == "SIGTERM"
    assert service.ended()[:2] == (0, "cleaned\n")


def test_a_command_that_ends_within_another_program_does_not_end_that(
    child: Callable[..., Child],
) -> None:
    program = child("""
        module.END_LIMIT_S = 0.1

        def main(runtime):
            runtime.ready()

        try:
            run_loop("service", OPTIONS, main)
        except SystemExit as end:
            print(end.code, flush=True)
        sys.stdin.read()
    """)
    program.event("process ended")
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(0.5)
    assert program.ended()[:2] == (0, "0\n")


# The watchdog

IMPATIENT = """
module.WATCHDOG_LIMIT_S, module.WATCHDOG_TICK_S, module.PAUSE_S = 1.0, 0.1, 0.3
"""


@pytest.mark.parametrize("kind", ["async", "loop"])
def test_a_main_loop_that_stands_still_ends_the_process(
    child: Callable[..., Child], kind: str
) -> None:
    service = child(f"""
        {IMPATIENT.strip()}

        {"async " if kind == "async" else ""}def main(runtime):
            runtime.ready()
            runtime.beat()
            time.sleep(FOR_EVER_S)

        run_{kind}("service", OPTIONS, main)
    """)
    expired = service.event("watchdog expired")
    assert (expired["service"], expired["instance"]) == ("service", "unit")
    assert service.ended()[0] == 70


def test_a_stopped_process_that_goes_on_is_forgiven(child: Callable[..., Child]) -> None:
    service = child(IMPATIENT + ENDLESS_LOOP)
    service.event("ready")
    service.signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(1.5)
    service.signal(signal.SIGCONT)
    # A busy machine may have paused it before, for a shorter time.
    while service.event("process paused")["seconds"] < 1.4:
        pass
    # It would have struck by now.
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(0.3)
    service.signal(signal.SIGTERM)
    assert service.ended()[0] == 0


# Readiness


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_status_page_tells_ready_from_running(child: Callable[..., Child]) -> None:
    service = child(
        """
        async def main(runtime):
            runtime.ready(address="here")
            runtime.not_ready("no venue is live")
            runtime.ready(address="not said twice")
            runtime.not_ready("no venue is live")
            structlog.get_logger().info("no longer ready")
            while True:
                runtime.beat()
                await asyncio.sleep(0.01)

        run_async("service", OPTIONS, main)
        """,
        STATUS="127.0.0.1:0",
    )
    page = f"http://{service.event('ready')['status']}"
    service.event("no longer ready")
    assert get(f"{page}/healthz") == (200, "ok\n")
    assert get(f"{page}/readyz") == (503, "no venue is live\n")
    status, metrics = get(f"{page}/metrics")
    assert status == 200
    assert "dragonfly_ready 0.0" in metrics
    assert get(f"{page}/")[0] == 404
    service.signal(signal.SIGTERM)
    code, _, log = service.ended()
    assert code == 0
    assert [json.loads(line)["event"] for line in log.splitlines()] == ["process ended"]


def test_a_process_names_itself_after_its_service_and_host() -> None:
    runtime = Runtime("aggregator", RuntimeOptions())
    assert runtime.instance == f"aggregator@{socket.gethostname()}"
    assert not runtime.stopping


def test_a_beat_long_after_the_last_one_tells_that_the_process_stood_still() -> None:
    clock = ManualClock()
    runtime = Runtime("service", RuntimeOptions(log_level="error"), clock)
    before = REGISTRY.get_sample_value("dragonfly_pauses_total") or 0.0
    clock.advance(1.0)
    runtime.beat()
    assert REGISTRY.get_sample_value("dragonfly_pauses_total") == before
    clock.advance(7.0)
    runtime.beat()
    runtime.beat()
    assert REGISTRY.get_sample_value("dragonfly_pauses_total") == before + 1


class Ring:
    """Refers to itself, as what a stream leaves does."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_looked_for_by_the_beat_now_and_then() -> None:
    clock = ManualClock()
    runtime = Runtime("service", RuntimeOptions(log_level="error"), clock)
    gc.disable()
    try:
        left = weakref.ref(Ring())
        runtime.beat()
        assert left() is not None
        clock.advance(COLLECT_INTERVAL_S)
        runtime.beat()
        assert left() is None
    finally:
        gc.enable()


# Options


@click.command()
@runtime_options
def show(runtime: RuntimeOptions) -> None:
    click.echo(repr(runtime))


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], RuntimeOptions()),
        (["--id", "listener.kraken"], RuntimeOptions("listener.kraken")),
        (
            ["--log-level=error", "--log-format=json", "--status=:9100"],
            RuntimeOptions(None, "error", "json", ":9100"),
        ),
        (
            ["--open"],
            RuntimeOptions(open=True),
        ),
    ],
)
def test_the_shared_options_arrive(arguments: list[str], options: RuntimeOptions) -> None:
    assert CliRunner().invoke(show, arguments).output == f"{options!r}\n"


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--log-level=loud", "'loud'"),
        ("--log-format=xml", "'xml'"),
        ("--id=", "''"),
        ("--id=a\nb", "--id"),
        ("--id=\udcff", "--id"),
        (f"--id={'x' * 101}", "--id"),
    ],
)
def test_a_bad_value_is_named_in_one_sentence(argument: str, named: str) -> None:
    result = CliRunner().invoke(show, [argument])
    assert result.exit_code == 2
    (sentence,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert named in sentence


def test_the_promise_leaves_room_for_the_end() -> None:
    assert END_LIMIT_S + LAST_WORDS_S < PROMISED_S


@pytest.mark.parametrize(
    ("address", "options", "warned"),
    [
        ("tcp://0.0.0.0:1", RuntimeOptions(), True),
        ("tcp://0.0.0.0:1", RuntimeOptions(open=True), False),
        ("tcp://127.0.0.1:1", RuntimeOptions(), False),
        ("ipc:///tmp/x", RuntimeOptions(), False),
    ],
)
def test_an_open_door_is_said(
    capsys: pytest.CaptureFixture[str], address: str, options: RuntimeOptions, warned: bool
) -> None:
    runtime = Runtime("service", options)
    runtime.warn_if_bus_is_open(address, secured=False)
    said = capsys.readouterr().err
    assert ("open to other machines" in said) is warned
    assert ("--curve-key" in said) is warned
    assert ("--open" in said) is warned
    runtime.warn_if_bus_is_open(address, secured=True)
    assert not capsys.readouterr().err


def test_a_status_page_that_is_open_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for address, warned in (("127.0.0.1:0", False), ("0.0.0.0:0", True), (":0", True)):
        Runtime("service", RuntimeOptions(status_address=address)).close()
        assert ("open to other machines" in capsys.readouterr().err) is warned
