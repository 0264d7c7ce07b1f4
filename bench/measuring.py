"""What every benchmark here needs: workers, quantiles, what processes used, and where results go.

A figure is taken in each of several repetitions, which take turns with what it is compared with;
the median of the repetitions counts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isnan
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

__all__ = [
    "BUILD",
    "DRAINED_S",
    "START_WITHIN_S",
    "Usage",
    "Use",
    "WholeUsage",
    "Worker",
    "at_last",
    "machine",
    "medians",
    "paced",
    "print_table",
    "quantile",
    "save",
    "say_machine",
    "usage",
]

BUILD: Final = Path(__file__).parents[1] / "build" / "bench"
"""Where results go."""
DRAINED_S: Final = 0.3
"""What has not arrived so long after it was sent never will."""
START_WITHIN_S: Final = 60.0
"""A busy machine may take so long until a process is ready."""
ATTEMPTS: Final = 3

T = TypeVar("T")

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that runs a function of this program's, which answers questions over a pipe."""

    def __init__(self, run: Callable[..., None], *given: object) -> None:
        """Call `run` with its end of the pipe and what is `given`."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(run, theirs, given), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def tell(self, *words: object) -> None:
        """Send a question, whose answer `answer` returns."""
        self._pipe.send(words)

    def answer(self, within_s: float = 120.0) -> Any:
        """Return the next answer.

        Raises:
            TimeoutError: there was none within `within_s`.
            EOFError: the worker ended.
        """
        if not self._pipe.poll(within_s):
            raise TimeoutError(f"a worker of the benchmark said nothing for {within_s:g} s")
        return self._pipe.recv()

    def ask(self, *words: object, within_s: float = 120.0) -> Any:
        """Return the answer to a question."""
        self.tell(*words)
        return self.answer(within_s)


def _run(run: Callable[..., None], pipe: Connection, given: Sequence[object]) -> None:
    # The benchmark has ended, or who was sent to has hung up: then it finds nobody here.
    with suppress(EOFError, OSError, KeyboardInterrupt):
        run(pipe, *given)


class Use(NamedTuple):
    """What a process used since its start, and holds."""

    cpu_s: float
    resident_mb: float
    kernel_s: float
    """Of the processor's seconds, those in the kernel."""


class Usage:
    """What some processes used since this was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._before = {(name, pid): usage(pid) for name, pid in pids.items()}
        self._began = time.monotonic()

    def cores(self) -> dict[str, float]:
        """Return how many cores each kept busy, and under `kernel` the kernel for all of them."""
        took = time.monotonic() - self._began
        found = {"kernel": 0.0}
        for (name, pid), before in self._before.items():
            now = usage(pid)
            found[name] = (now.cpu_s - before.cpu_s) / took
            found["kernel"] += (now.kernel_s - before.kernel_s) / took
        return found


class WholeUsage:
    """What all of the machine used since this was made."""

    def __init__(self) -> None:
        self._before = _busy_s()
        self._began = time.monotonic()

    def cores(self) -> float:
        """Return how many cores were busy, or taken away by other machines on this one's host."""
        return (_busy_s() - self._before) / (time.monotonic() - self._began)


def _busy_s() -> float:
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split(maxsplit=11)[1:11]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S


def usage(pid: int) -> Use:
    """Return what a process used until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, kernel = (int(field) / _TICKS_PER_S for field in fields[11:13])
    return Use(user + kernel, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6, kernel)


def paced(rate: float, seconds: float, ways: int = 1) -> Iterator[tuple[int, float]]:
    """Yield (way, seconds behind) `rate` times a second for each way, when its moment has come.

    Each is at a random moment of its slot, so that the ways meet as chance has it.
    """
    chance = random.Random(0)
    due = [
        ((number + chance.random()) / rate, way)
        for number in range(round(rate * seconds))
        for way in range(ways)
    ]
    due.sort()
    began = time.monotonic()
    for at, way in due:
        wait_s = began + at - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        yield way, max(0.0, -wait_s)


def quantile(ascending: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of all do not exceed; nan of nothing."""
    if not ascending:
        return float("nan")
    return ascending[min(len(ascending) - 1, max(0, -int(-share * len(ascending) // 1) - 1))]


def medians(repetitions: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each figure's median over the repetitions."""
    return {name: median(one[name] for one in repetitions) for name in repetitions[0]}


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as Markdown, so that it can be pasted."""
    texts = [tuple(_text(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return " | ".join(
            (first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others))
        )

    print(f"\n{title}\n\n| {line(head)} |\n|{'|'.join('-' * (width + 2) for width in widths)}|")
    for row in texts:
        print(f"| {line(row)} |")
    print(flush=True)


def _text(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    if isnan(cell):
        return "-"
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"


def at_last(measure: Callable[..., T], *given: object) -> T:
    """Return what `measure` does; again, where somebody hung up in the midst of it.

    A listener that stood still for so long that it fell seconds behind its venue connects anew.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(EOFError):
            return measure(*given)
        print("Measured again: a process of it fell too far behind", flush=True)
    return measure(*given)


def machine() -> dict[str, object]:
    """Return what was measured on, and how busy it is."""
    models = {
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    return {
        "processor": ", ".join(sorted(models)),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load average": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def say_machine() -> None:
    """Print what is measured on."""
    print(", ".join(f"{name}: {value}" for name, value in machine().items()), flush=True)


def save(name: str, results: Mapping[str, object]) -> None:
    """Write results to the build folder."""
    BUILD.mkdir(parents=True, exist_ok=True)
    path = BUILD / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **results}, indent=1) + "\n")
    print(f"Written to build/bench/{name}.json")
