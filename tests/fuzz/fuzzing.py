"""What a target of fuzzing is, and the loop that feeds one.

A target takes hostile bytes by a part's real way in. What it promises is checked in `feed`, which
raises whatever is wrong, and in `check`: after all that, a good input works. State builds up over
some inputs and then begins afresh, so a failure is the inputs since then.

The loop is guided by coverage: of one input in `TRACED_EVERY` the lines that ran are noted, and an
input that reached a new one, or a new outcome, is changed further later on.
"""

from __future__ import annotations

import resource
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, ClassVar, Final

import msgspec
from mutation import Form, mutate

__all__ = ["Failure", "Report", "Target", "fuzz", "replay"]

AFRESH_EVERY: Final = 25
TRACED_EVERY: Final = 16
MOST_KEPT: Final = 600
"""Inputs that reached something new."""
HANG_S: Final = 5.0
"""Of the processor's time, for one input: a busy machine is no hang."""
SETTLED_AFTER: Final = 2000
"""Inputs after which caches and counters are filled, and memory is measured from."""

_OURS: Final = tuple(
    str(Path(__file__).resolve().parents[2] / part) for part in ("libs", "services")
)


class Target(ABC):
    """One way in. Whatever is raised is a defect, of the part or of the target."""

    name: ClassVar[str] = ""
    form: ClassVar[Form] = Form.BYTES
    weight: ClassVar[int] = 10
    """Its share of the inputs."""

    @abstractmethod
    def seeds(self) -> Sequence[bytes]:
        """Return good inputs."""

    @abstractmethod
    def feed(self, data: bytes) -> str:
        """Take one input; return in a word what became of it."""

    def reset(self) -> None:
        """Begin afresh."""
        return

    def check(self) -> None:
        """Raise unless a good input works now."""
        return

    def mend(self, data: bytes) -> bytes:
        """Make a changed input plausible again, where a checksum would refuse it at the door."""
        return data

    def close(self) -> None:
        """Give back what is held."""
        return


class Failure(Exception):  # noqa: N818 -- not an error of this program
    """A target failed; carries the inputs since it began afresh."""

    def __init__(self, target: str, inputs: Sequence[bytes]) -> None:
        super().__init__(target)
        self.target = target
        self.inputs = inputs

    def save(self, folder: Path) -> Path:
        """Write the inputs to a file that `replay` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        content = msgspec.msgpack.encode([self.target, list(self.inputs)])
        number = 1
        while (path := folder / f"{self.target}.{number}.case").exists():
            number += 1
        path.write_bytes(content)
        return path


@dataclass
class Report:
    """What became of one target's inputs."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    kept: int = 0
    grown_mib: float = 0.0
    """By how much the process was ever larger than once it had settled."""
    failures: list[tuple[Failure, BaseException]] = field(default_factory=list)


def fuzz(
    target: Target,
    inputs: int,
    seed: int,
    *,
    most_failures: int = 1,
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Feed `target` with its seeds and then with what becomes of them."""
    chance = Random(f"{target.name} {seed}")
    report = Report(target.name)
    seeds = list(target.seeds())
    kept: list[bytes] = []
    lines: set[object] = set()
    history: list[bytes] = []
    settled_mib = _peak_mib()
    began = time.monotonic()
    target.reset()
    for number in range(inputs):
        if number < len(seeds):
            data = seeds[number]
        else:
            # Half of them from the seeds: what was found is mostly refused early.
            found = kept if kept and chance.random() < 0.5 else seeds
            data = mutate(chance, target.form, found)
            if chance.random() < 0.5:
                data = target.mend(data)
        history.append(data)
        traced = number % TRACED_EVERY == 0
        known = len(lines)
        try:
            with _at_most(HANG_S), _tracing(lines if traced else None):
                outcome = target.feed(data)
            if len(history) == AFRESH_EVERY:
                with _at_most(HANG_S):
                    target.check()
        except (Exception, _Hang) as error:  # noqa: BLE001 -- any of them is what is looked for
            failure = Failure(target.name, _shortest(target, history))
            report.failures.append((failure, error))
            outcome = "failed"
        if outcome not in report.outcomes or len(lines) > known:
            _keep(chance, kept, data)
        report.outcomes[outcome] += 1
        report.inputs += 1
        if len(report.failures) >= most_failures:
            break
        if len(history) == AFRESH_EVERY or outcome == "failed":
            history.clear()
            target.reset()
        if number == SETTLED_AFTER:
            settled_mib = _peak_mib()
        if number % 1000 == 999:
            _note(report, lines, kept, settled_mib, began)
            on_progress(report)
    _note(report, lines, kept, settled_mib, began)
    target.close()
    return report


def replay(target: Target, inputs: Sequence[bytes]) -> None:
    """Feed saved inputs; raises what they lead to."""
    target.reset()
    for data in inputs:
        with _at_most(HANG_S):
            target.feed(data)
    with _at_most(HANG_S):
        target.check()


def _shortest(target: Target, history: Sequence[bytes]) -> list[bytes]:
    """Return the last input alone where that is enough to fail, else all."""
    last = [history[-1]]
    try:
        replay(target, last)
    except (Exception, _Hang):  # noqa: BLE001 -- as in `fuzz`
        return last
    return list(history)


def _note(
    report: Report, lines: set[object], kept: list[bytes], settled_mib: float, began: float
) -> None:
    report.lines, report.kept = len(lines), len(kept)
    report.seconds = time.monotonic() - began
    report.grown_mib = _peak_mib() - settled_mib


def _keep(chance: Random, kept: list[bytes], data: bytes) -> None:
    if len(kept) < MOST_KEPT:
        kept.append(data)
    else:
        kept[chance.randrange(MOST_KEPT)] = data


def _peak_mib() -> float:
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class _Hang(BaseException):
    """Not an Exception: a target that catches those must not swallow it."""


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise _Hang(f"one input took more than {HANG_S:g} s of the processor's time")


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _tracing(lines: set[object] | None) -> Iterator[None]:
    """Note in `lines` which of our own lines run."""
    if lines is None:
        yield
        return

    def in_function(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code, frame.f_lineno))
        return in_function

    def at_call(frame: FrameType, _event: str, _: Any) -> Any:
        return in_function if frame.f_code.co_filename.startswith(_OURS) else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        yield
    finally:
        sys.settrace(before)
