"""A `dragonfly` command forked from a process that has imported the program.

Starting Python and importing the program is most of the work of a test's processes. That it can be
started by its command line is what `services/*/tests/test_cli.py` and `tests/test_up.py` are for.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Final

from dragonfly_common import cli
from system import Running, launch_python

__all__ = ["launch_forked"]

_PROCESSES: Final = multiprocessing.get_context("forkserver")
_PARTS: Final = (
    "aggregator execution_engine feed_listener fix_gateway grpc_gateway supervisor terminal "
    "venue_simulator web_gateway"
)
_LATER: Final = ("anyio._backends._asyncio", "httpcore", "uvloop")
"""What others import once they run."""
_PROCESSES.set_forkserver_preload(
    # As `dragonfly` imports them; pytest is the main module of whoever asks for a fork.
    ["dragonfly_common.cli", *(f"{part}.cli" for part in _PARTS.split()), *_LATER, "pytest"]
)
_PR_SET_PDEATHSIG: Final = 1
_PYTHONPATH: Final = os.environ.get("PYTHONPATH")


class ForkedProcess:
    """What a `subprocess.Popen` is for a command line."""

    def __init__(
        self, command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
    ) -> None:
        self._process = _PROCESSES.Process(
            target=_become, args=(command, output.name, environment), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int | None:
        self._process.join()
        return self.returncode


def launch_forked(
    command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
) -> Running:
    """Start a command line by a fork, where another Python would run nothing else."""
    other = command[0] != sys.executable or environment.get("PYTHONPATH") != _PYTHONPATH
    return (launch_python if other else ForkedProcess)(command, output, environment)


def _become(command: Sequence[str], output: str, environment: Mapping[str, str]) -> None:
    """Be the command line `command` from now on, in the process that was forked for it.

    It ends with what it was forked from, which ends with the tests, however these do: once nobody
    has the other end of a pipe any more, which is among what is closed here.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for ours, theirs in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(ours, theirs)
    match command[1:]:
        case ["-m", "dragonfly_common.cli", *arguments]:
            sys.argv = ["dragonfly", *arguments]
            cli.main()
        case [program, *arguments]:
            sys.argv = [program, *arguments]
            runpy.run_path(program, run_name="__main__")
