"""`make fuzz`: feed every target, print what became of it, and how to see a failure again."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Final, TextIO

import msgspec
import structlog

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import Report, fuzz, replay
from targets import TARGETS

CASES: Final = Path(__file__).resolve().parents[2] / "build" / "fuzz"


def main() -> int:
    arguments = _parse()
    with Path(os.devnull).open("w") as nowhere:
        _log_to(nowhere)
        if arguments.replay:
            return _replay(arguments.replay)
        return _fuzz(arguments)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="over all targets")
    parser.add_argument("--seed", type=int, default=1, help="another makes other inputs")
    parser.add_argument("--failures", type=int, default=1, help="of a target, until it is left")
    parser.add_argument(
        "--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated"
    )
    parser.add_argument(
        "--replay", type=Path, metavar="CASE", help="feed the inputs of one failure"
    )
    return parser.parse_args()


def _log_to(file: TextIO) -> None:
    # What is logged of hostile input is rendered as in production, and then thrown away.
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file),
    )


def _replay(case: Path) -> int:
    name, inputs = msgspec.msgpack.decode(case.read_bytes(), type=tuple[str, list[bytes]])
    replay(TARGETS[name](), inputs)
    print(f"{len(inputs)} inputs of {name}: nothing is wrong with them any more")
    return 0


def _fuzz(arguments: argparse.Namespace) -> int:
    chosen = [TARGETS[name] for name in arguments.target or TARGETS]
    shares = sum(target.weight for target in chosen)
    began = time.monotonic()
    reports: list[Report] = []
    print(
        f"{'target':20} {'inputs':>9} {'/s':>8} {'kept':>5} {'lines':>6} {'grown MiB':>9}  outcomes"
    )
    for target in chosen:
        inputs = -(-arguments.inputs * target.weight // shares)
        report = fuzz(
            target(),
            inputs,
            arguments.seed,
            most_failures=arguments.failures,
            on_progress=_progress,
        )
        reports.append(report)
        print(_line(report))
        for failure, error in report.failures:
            case = failure.save(CASES).relative_to(Path.cwd())
            traceback.print_exception(error, limit=-6, file=sys.stdout)
            print(f"  {len(failure.inputs)} inputs; again: make fuzz ARGS='--replay {case}'")
    failed = sum(len(report.failures) for report in reports)
    total = sum(report.inputs for report in reports)
    print(f"{total} inputs in {time.monotonic() - began:.0f} s, {failed} failures")
    return 1 if failed else 0


def _progress(report: Report) -> None:
    if sys.stdout.isatty():
        print(f"\r{_line(report):.110}", end="\r", flush=True)


def _line(report: Report) -> str:
    speed = report.inputs / report.seconds if report.seconds else 0.0
    outcomes = ", ".join(f"{name} {count}" for name, count in report.outcomes.most_common(6))
    return (
        f"{report.target:20} {report.inputs:9} {speed:8.0f} {report.kept:5} {report.lines:6}"
        f" {report.grown_mib:9.1f}  {outcomes}"
    )


if __name__ == "__main__":
    sys.exit(main())
