"""All benchmarks of `docs/performance.md`, one after another.

    python bench/run.py [--long] [--only NAME]...

The short form takes about fourteen minutes, the long one several times as long. Figures go to
build/bench/NAME.json as each is done, and at the end a picture of them to
build/bench/performance.svg.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from measuring import say_machine
from picture import draw

HERE: Final = Path(__file__).parent

LATENCY: Final = ("end_to_end.py", "--apart", "--keep-awake", "--seconds=4")
"""Loads differ in what one repetition says of them; the others are costs, which hardly vary."""
FLOORS: Final = (
    "end_to_end.py",
    "--apart",
    "--plain",
    "--floors",
    "--load=200",
    "--load=1000",
)
BENCHMARKS: Final = {
    "end to end": ((*LATENCY, "--repeat=3"), (*LATENCY, "--seconds=10", "--repeat=5")),
    "floors": (
        (*FLOORS, "--seconds=3", "--repeat=3"),
        (*FLOORS, "--seconds=8", "--repeat=5"),
    ),
    "listeners": (
        ("listeners.py", "--seconds=2", "--repeat=1"),
        ("listeners.py", "--seconds=4", "--repeat=3"),
    ),
    "decoders": (("decoders.py", "--repeat=3"), ("decoders.py", "--repeat=7")),
    "every listener": (
        ("every_listener.py", "--seconds=1", "--repeat=1"),
        ("every_listener.py", "--seconds=2", "--repeat=3"),
    ),
    "aggregating": (
        ("aggregating.py", "--seconds=2", "--repeat=1"),
        ("aggregating.py", "--seconds=4", "--repeat=3"),
    ),
    "serving": (
        ("serving.py", "--seconds=3", "--repeat=1"),
        ("serving.py", "--seconds=4", "--repeat=3"),
    ),
    "executable": (
        ("executable.py", "--seconds=4", "--repeat=3"),
        ("executable.py", "--seconds=10", "--repeat=5"),
    ),
    "many venues": (
        ("many_venues.py", "--seconds=4", "--repeat=1"),
        ("many_venues.py", "--seconds=6", "--repeat=5"),
    ),
    "web": (("web.py", "--seconds=4", "--repeat=1"), ("web.py", "--seconds=5", "--repeat=3")),
    "execution": (("execution.py", "--repeat=3"), ("execution.py", "--repeat=7")),
    "execution cost": (
        ("execution_cost.py", "--minutes=10"),
        ("execution_cost.py", "--minutes=30"),
    ),
    "merging": (("merging.py", "10000"), ("merging.py", "40000")),
    "cold": (("cold.py", "2"), ("cold.py", "6")),
    "idle": (("idle.py", "10"), ("idle.py", "30")),
}
"""(command of the short form, of the long one)"""


def main() -> int:
    parser = argparse.ArgumentParser(description="All benchmarks, one after another.")
    parser.add_argument("--long", action="store_true", help="more repetitions, each longer")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="may be repeated")
    given = parser.parse_args()
    say_machine()
    began = time.monotonic()
    failed = []
    for name in given.only or BENCHMARKS:
        script, *arguments = BENCHMARKS[name][given.long]
        done = subprocess.run([sys.executable, HERE / script, *arguments], check=False)
        if done.returncode:
            failed.append(name)
    picture = draw()
    if picture:
        print(f"The picture is {picture}, of the figures beside it")
    print(f"{time.monotonic() - began:.0f} s")
    if failed:
        print(f"Not measured, because they failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
