"""Command line: many seeds, or one with all that happens in it.

python -m simulation --seeds 10000       seeds 0 to 9999; exit code 1 if one is violated
python -m simulation --seed 4711         one seed, told event by event
python -m simulation --fix …             the same of two FIX sessions
"""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from simulation import fix_sessions, run
from simulation.run import Outcome
from simulation.variants import VARIANTS
from simulation.virtual import running_process

PROGRESS_EVERY_S: Final = 10.0
MANY: Final = 500
NICENESS: Final = 10
"""Of a run of many seeds, which shall not be in anybody's way."""
SHOWN_CHARACTERS: Final = 1500


def main() -> int:
    options = _parse()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts must be the same in every run.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]])
    if options.variant:
        VARIANTS[options.variant]()
    simulate = fix_sessions.simulate if options.fix else run.simulate
    if options.seed is not None:
        return _tell_one(simulate, options.seed)
    if options.seeds > MANY:
        os.nice(NICENESS)
    seeds = range(options.first, options.first + options.seeds)
    return _run_many(simulate, seeds, options)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate ARGS=…", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many to run  [200]")
    parser.add_argument("--first", type=int, default=0, help="the first of them  [0]")
    parser.add_argument("--seed", type=int, help="run this one only, and tell what happens")
    parser.add_argument("--fix", action="store_true", help="simulate two FIX sessions")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in  [1]")
    parser.add_argument("--keep-going", action="store_true", help="do not end at a violation")
    parser.add_argument(
        "--variant", choices=sorted(VARIANTS), help="break the product in this way, to see it found"
    )
    return parser.parse_args()


def _tell_one(simulate: Callable[..., Outcome], seed: int) -> int:
    def say(at: float, who: str, what: str) -> None:
        print(f"{at:9.4f}  {who:<20}  {what}")

    def say_log(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
        facts = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
        say_now(f"[{method}] {event['event']} {facts}")
        raise structlog.DropEvent

    def say_now(text: str) -> None:
        process = running_process()
        if process is not None:
            say(process.schedule.now, process.name, text)

    structlog.configure(processors=[say_log], cache_logger_on_first_use=True)
    outcome = simulate(seed, say)
    for violation in outcome.violations:
        print(f"\nVIOLATION {violation}")
    print(
        f"\nseed {seed}: {outcome.virtual_s:.1f} virtual s, {outcome.judged} judged, whole "
        f"{outcome.whole_after_s:.2f} s after healing, {len(outcome.violations)} violations, "
        f"digest {outcome.digest}"
    )
    return int(bool(outcome.violations))


@dataclass
class _Tally:
    """What a run of many seeds came to so far."""

    began: float
    count: int = 0
    judged: int = 0
    virtual_s: float = 0.0
    slowest_s: float = 0.0
    stalest_s: float = 0.0
    violated: int = 0

    def add(self, outcome: Outcome) -> None:
        self.count += 1
        self.judged += outcome.judged
        self.virtual_s += outcome.virtual_s
        self.slowest_s = max(self.slowest_s, outcome.whole_after_s)
        self.stalest_s = max(self.stalest_s, outcome.stalest_s)
        self.violated += bool(outcome.violations)

    def __str__(self) -> str:
        spent_s = time.monotonic() - self.began
        return (
            f"{self.count} seeds in {spent_s:.0f} s ({self.count / spent_s:.1f} a second): "
            f"{self.virtual_s / 3600:.2f} virtual hours, {self.judged} judged, slowest whole "
            f"after {self.slowest_s:.2f} s, oldest live for {self.stalest_s:.2f} s, "
            f"{self.violated} violated"
        )


def _run_many(simulate: Callable[[int], Outcome], seeds: range, options: argparse.Namespace) -> int:
    tally = _Tally(time.monotonic())
    shown = tally.began
    for outcome in _outcomes(simulate, seeds, options.jobs):
        tally.add(outcome)
        if outcome.violations:
            _show(outcome, options)
            if not options.keep_going:
                break
        if time.monotonic() - shown >= PROGRESS_EVERY_S:
            shown = time.monotonic()
            print(f"of {len(seeds)}: {tally}", file=sys.stderr, flush=True)
    print(tally)
    return int(bool(tally.violated))


def _outcomes(
    simulate: Callable[[int], Outcome], seeds: Iterable[int], jobs: int
) -> Iterator[Outcome]:
    _quieten()
    # What lives through all seeds is not looked at again and again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 1000)
    if jobs == 1:
        yield from map(simulate, seeds)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(simulate, seeds, chunksize=4)


def _quieten() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=True,
    )


def _show(outcome: Outcome, options: argparse.Namespace) -> None:
    for violation in outcome.violations:
        print(f"seed {outcome.seed}: {violation[:SHOWN_CHARACTERS]}")
    extra = " --fix" * options.fix
    extra += f" --variant {options.variant}" if options.variant else ""
    print(f'to see it again: make simulate ARGS="--seed {outcome.seed}{extra}"', flush=True)


if __name__ == "__main__":
    sys.exit(main())
