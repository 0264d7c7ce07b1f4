"""Supervision of real processes: aggregators, which need nobody else to be well."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from dragonfly_common.errors import ExitCode
from patience import PATIENCE_S, patiently
from supervisor import supervision
from supervisor.plan import Facts, Process
from supervisor.supervision import LogLine, StartupError, Supervisor, restart_pause_s


def an_aggregator(folder: Path, *extra: str) -> Process:
    upstream = ("--upstream", f"ipc://{folder}/nobody")
    argv = ("aggregator", "--bind", f"ipc://{folder}/a", *upstream, "--log-format", "json")
    return Process("aggregator", (*argv, *extra))


class Watched:
    """A supervisor, and what it said."""

    def __init__(self) -> None:
        self.logs: list[LogLine] = []
        self.notices: list[str] = []
        self.changed = asyncio.Event()
        self.supervisor = Supervisor(self._log, self._notice)
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, process: Process) -> asyncio.Future[Facts]:
        ready: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        self.tasks.append(asyncio.create_task(self.supervisor.run(process, ready)))
        return ready

    async def stop(self) -> None:
        await self.supervisor.stop()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def events(self, name: str) -> list[LogLine]:
        return [line for line in self.logs if line["event"] == name]

    async def until_ready(self, times: int) -> int:
        """Return the id of the process that said it was ready as the `times`-th."""
        await self.until(lambda: len(self.events("ready")) >= times)
        return self.supervisor._running["aggregator"].pid

    async def until(self, condition: Callable[[], bool]) -> None:
        async with patiently():
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _log(self, name: str, line: LogLine) -> None:
        self.logs.append(line)
        self.changed.set()

    def _notice(self, sentence: str) -> None:
        self.notices.append(sentence)
        self.changed.set()


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    yield watched
    await watched.stop()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_what_is_killed_comes_back_and_it_is_said(watched: Watched, tmp_path: Path) -> None:
    facts = await asyncio.wait_for(watched.start(an_aggregator(tmp_path)), PATIENCE_S)
    assert facts["address"] == f"ipc://{tmp_path}/a"
    first = await watched.until_ready(1)
    os.kill(first, signal.SIGKILL)
    assert await watched.until_ready(2) != first
    (notice,) = watched.notices
    assert "aggregator" in notice
    assert "SIGKILL" in notice


async def test_all_end_together(watched: Watched, tmp_path: Path) -> None:
    await asyncio.wait_for(watched.start(an_aggregator(tmp_path)), PATIENCE_S)
    pid = await watched.until_ready(1)
    await watched.stop()
    assert not runs(pid)
    assert watched.notices == []
    assert watched.events("process ended") != []


async def test_what_is_refused_is_said_and_not_tried_again(
    watched: Watched, tmp_path: Path
) -> None:
    watched.start(an_aggregator(tmp_path, "--depth", "101"))
    with pytest.raises(StartupError, match="--depth") as refused:
        await asyncio.wait_for(watched.tasks[0], PATIENCE_S)
    assert refused.value.exit_code is ExitCode.USAGE
    assert watched.notices == []


async def test_what_hangs_is_killed(watched: Watched, tmp_path: Path) -> None:
    await asyncio.wait_for(watched.start(an_aggregator(tmp_path)), PATIENCE_S)
    pid = await watched.until_ready(1)
    os.kill(pid, signal.SIGSTOP)
    await watched.stop()
    assert not runs(pid)


@pytest.mark.parametrize(
    ("last_s", "alive_s", "expected_s"),
    [
        (0, 0.01, 0.1),
        (0.1, 0.01, 0.2),
        (0.2, 9.9, 0.4),
        (3.2, 0.01, 5.0),
        (5.0, 0.01, 5.0),
        (5.0, 10.1, 0.1),
    ],
)
def test_a_process_that_keeps_dying_is_started_ever_later(
    last_s: float, alive_s: float, expected_s: float
) -> None:
    assert restart_pause_s(last_s, alive_s=alive_s) == pytest.approx(expected_s)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process's words be those of Python, so that it can be any program."""
    monkeypatch.setattr(supervision, "COMMAND", (sys.executable, "-c"))


def says(*lines: str) -> str:
    return "import sys, time, os;" + "".join(f"print({line!r}, file=sys.stderr);" for line in lines)


READY = '{"event": "ready", "address": "a"}'


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("ending", "why"),
    [
        ("sys.exit(70)", "it had stood still for 10 s"),
        ("sys.exit(3)", "exit code 3"),
        ("print('Error: no luck', file=sys.stderr); sys.exit(69)", "no luck"),
        ("os.kill(os.getpid(), 40)", "exit code -40"),
    ],
)
async def test_it_is_said_how_a_process_ended(watched: Watched, ending: str, why: str) -> None:
    watched.start(Process("aggregator", (says(READY) + ending,)))
    await watched.until(lambda: len(watched.notices) > 1)
    first, second, *_ = watched.notices
    assert first == f"aggregator ended ({why}); started again in 0.1 s"
    assert second == f"aggregator ended ({why}); started again in 0.2 s"


@pytest.mark.usefixtures("programs")
async def test_what_is_never_ready_is_given_up(watched: Watched) -> None:
    watched.start(Process("aggregator", (says() + "sys.exit(1)",)))
    with pytest.raises(StartupError, match="does not start: an error that nobody foresaw"):
        await asyncio.wait_for(watched.tasks[0], PATIENCE_S)


@pytest.mark.usefixtures("programs")
async def test_a_line_without_an_end_is_no_more_than_a_line(watched: Watched) -> None:
    program = says("not JSON", "x" * 5_000, READY) + "time.sleep(99)"
    limit = 1_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervision, "MAX_LINE_BYTES", limit)
        ready = watched.start(Process("aggregator", (program,)))
        assert await asyncio.wait_for(ready, PATIENCE_S) == {"address": "a"}
    assert watched.events("not JSON") != []
    assert watched.events("a line of the log was too long") != []


@pytest.mark.usefixtures("programs")
async def test_a_stop_while_a_process_is_being_started_waits_for_nobody(watched: Watched) -> None:
    watched.start(Process("aggregator", ("import time; time.sleep(999)",)))
    await asyncio.sleep(0)  # it is on its way, and not yet anybody's to signal
    assert watched.supervisor._running == {}
    async with patiently():
        await watched.stop()
    assert watched.supervisor._running == {}


PROGRAM = """
import asyncio, sys
from supervisor.plan import Process
from supervisor.supervision import Supervisor

async def main():
    supervisor = Supervisor(lambda name, line: None, lambda sentence: None)
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(supervisor.run(Process("aggregator", tuple(sys.argv[1:])), ready))
    await ready
    print(supervisor._running["aggregator"].pid, flush=True)
    await task

asyncio.run(main())
"""


def test_a_killed_supervisor_leaves_nobody_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *an_aggregator(tmp_path).argv],
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        # A file descriptor of the process tells when it ends, although it is nobody's child here.
        watch = os.pidfd_open(child)
        supervisor.kill()
    ended = asyncio.run(_readable(watch))
    os.close(watch)
    assert ended


async def _readable(descriptor: int) -> bool:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with patiently():
            await ended.wait()
    finally:
        loop.remove_reader(descriptor)
    return ended.is_set()
