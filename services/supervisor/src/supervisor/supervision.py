"""Runs processes, starts again what dies, and says so; ends them all together.

Crash-only: a process that finds itself unwell ends, and a fresh one takes its place. Only what is
refused before it was ever ready (a bad option, a taken port) is not tried again: its own sentence
is the answer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from asyncio.subprocess import Process as Running
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
from dragonfly_common.errors import ExitCode, UserError
from dragonfly_common.runtime import SUPERVISED

from supervisor.plan import Facts, Process

__all__ = ["LogLine", "StartupError", "Supervisor", "restart_pause_s"]

# `dragonfly`, also where no folder of scripts is on the path.
COMMAND: Final = (sys.executable, "-m", "dragonfly_common.cli")
FIRST_RESTART_S: Final = 0.1
LONGEST_RESTART_S: Final = 5.0
# Alive for this long, a process has earned a quick restart again.
SETTLED_S: Final = 10.0
STOP_LIMIT_S: Final = 2.5
# Never ready in so many starts: it will not be.
MOST_FAILED_STARTS: Final = 5
MAX_LINE_BYTES: Final = 1 << 20

_MEANINGS: Final[dict[int, str]] = {
    ExitCode.STOPPED: "it was asked to by somebody else",
    ExitCode.BUG: "an error that nobody foresaw; its log has the traceback",
    ExitCode.WATCHDOG: "it had stood still for 10 s",
}
_FINAL: Final = {ExitCode.USAGE, ExitCode.CONFIG, ExitCode.UNAVAILABLE}

LogLine = dict[str, object]
"""One event of a process's log: `event`, `level`, `timestamp`, and its facts."""


class StartupError(UserError):
    """A process said that it cannot run as it was told to."""

    def __init__(self, sentence: str, exit_code: ExitCode) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class Supervisor:
    """Any number of processes, ended together."""

    def __init__(
        self,
        on_log: Callable[[str, LogLine], None],
        on_notice: Callable[[str], None],
        sockets: Path | None = None,
    ) -> None:
        """`on_log` gets (process, line) of every log; `on_notice` a sentence on every restart.

        `sockets` is a folder that the processes remove where they outlive this one.
        """
        self._supervised = str(sockets or "1")
        self._on_log = on_log
        self._on_notice = on_notice
        self._running: dict[str, Running] = {}
        self._stopping = asyncio.Event()

    async def run(self, process: Process, ready: asyncio.Future[Facts]) -> None:
        """Keep `process` running until `stop`; `ready` gets what it says when it is first ready.

        Raises:
            StartupError: it ended before it was ever ready, and would do so again.
        """
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        for start in count(1):
            started = loop.time()
            code, last_words = await self._run_once(process, ready)
            if self._stopping.is_set():
                return
            why = last_words or _meaning(code)
            if ready.done():
                process = process.pinned(ready.result())
            elif code in _FINAL:
                raise StartupError(process.in_words_of_up(why), ExitCode(code))
            elif start == MOST_FAILED_STARTS:
                raise StartupError(f"{process.name} does not start: {why}", ExitCode.UNAVAILABLE)
            pause_s = restart_pause_s(pause_s, alive_s=loop.time() - started)
            self._on_notice(f"{process.name} ended ({why}); started again in {pause_s:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
                return

    async def stop(self) -> None:
        """End every process: asked first, killed after a while."""
        self._stopping.set()
        running = list(self._running.values())
        # A gateway of its own was started last and is told first: bots hear it from the gateway.
        for child in reversed(running):
            _signal(child, signal.SIGTERM)
        ended = asyncio.gather(*(child.wait() for child in running))
        try:
            await asyncio.wait_for(asyncio.shield(ended), STOP_LIMIT_S)
        except TimeoutError:
            for child in running:
                _signal(child, signal.SIGKILL)
            await ended

    async def _run_once(
        self, process: Process, ready: asyncio.Future[Facts]
    ) -> tuple[int, str | None]:
        child = await asyncio.create_subprocess_exec(
            *COMMAND,
            *process.argv,
            # It reads nothing: that this pipe closes tells it that its supervisor is gone.
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            env=os.environ | {SUPERVISED: self._supervised},
            # Ctrl-C is for the supervisor, which then ends the others in order.
            start_new_session=True,
            limit=MAX_LINE_BYTES,
        )
        self._running[process.name] = child
        if self._stopping.is_set():  # while it was being started, so that `stop` did not see it
            _signal(child, signal.SIGKILL)
        try:
            last_words = await self._follow_log(process.name, child, ready)
            return await child.wait(), last_words
        finally:
            if child.returncode is not None:
                self._running.pop(process.name, None)

    async def _follow_log(
        self, name: str, child: Running, ready: asyncio.Future[Facts]
    ) -> str | None:
        """Hand on the log until it ends; return the sentence that the process ended with."""
        assert child.stderr is not None
        last_words = None
        while (line := await _read_line(child.stderr)) is not None:
            text = line.decode(errors="replace").rstrip()
            if text.startswith("Error: "):
                last_words = text.removeprefix("Error: ")
                continue
            event = _parse(line, text)
            if event.get("event") == "ready" and not ready.done():
                ready.set_result(msgspec.convert(event, Facts))
            if text:
                # One process may be several services.
                self._on_log(str(event.get("instance", name)), event)
        return last_words


def restart_pause_s(last_s: float, *, alive_s: float) -> float:
    """Return how long to wait before a start, after a pause of `last_s` and a life of `alive_s`."""
    if last_s == 0 or alive_s > SETTLED_S:
        return FIRST_RESTART_S
    return min(2 * last_s, LONGEST_RESTART_S)


async def _read_line(stream: asyncio.StreamReader) -> bytes | None:
    """Return the next line, None at the end; of a line that is too long nothing is kept."""
    try:
        return await stream.readline() or None
    except ValueError:
        return b"a line of the log was too long"


def _parse(line: bytes, text: str) -> LogLine:
    try:
        return msgspec.json.decode(line, type=LogLine)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"event": text, "level": "warning"}


def _signal(child: Running, number: signal.Signals) -> None:
    if child.returncode is None:
        child.send_signal(number)


def _meaning(code: int) -> str:
    if -code in set(signal.Signals):
        return f"by {signal.Signals(-code).name}"
    return _MEANINGS.get(code, f"exit code {code}")
