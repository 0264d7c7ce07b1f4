"""Seeds of the simulation: none is violated, each is repeated exactly, and mistakes are found.

A few: `.ci/run` runs hundreds, and `make simulate ARGS="--seeds 10000"` as many as you like.

In processes of their own, because the simulation replaces what sockets and clocks are. What a
failing seed means is told by `make simulate ARGS="--seed N"`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def run(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run it; with a seed of hashes other than 0 it has to start itself anew, and imports twice."""
    return subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        cwd=TESTS,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_seed_is_violated() -> None:
    done = run("--seeds", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 seeds" in done.stdout


def test_no_seed_of_two_fix_sessions_is_violated() -> None:
    done = run("--fix", "--seeds", "10")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 seeds" in done.stdout


@pytest.mark.parametrize("world", [(), ("--fix",)])
def test_a_seed_is_repeated_exactly(world: tuple[str, ...]) -> None:
    first, second = (run("--seed", "7", *world, hash_seed=seed) for seed in ("random", "0"))
    assert first.stdout == second.stdout
    assert re.search(r"seed 7: .* 0 violations", first.stdout), first.stdout[-2000:]


@pytest.mark.parametrize(
    ("variant", "first"),
    [
        ("loss-ignored", 1),
        ("no-digest", 13),
        ("never-halted", 2),
        ("never-frozen", 31),
        ("always-ahead", 27),
        ("steps-back", 133),
        ("best-prices-unsaid", 42),
        ("bot-takes-anything", 27),
        ("eldest-replica", 67),
        ("gone-ignored", 157),
        ("fix-no-poss-dup", 0),
        ("fix-passed-early", 0),
        ("fix-asked-once", 0),
        ("fix-never-sent-again", 0),
    ],
)
def test_a_mistake_in_the_product_is_found(variant: str, first: int) -> None:
    """`first` is the seed that finds it today, which saves time."""
    world = ("--fix",) if variant.startswith("fix-") else ()
    done = run("--variant", variant, "--first", str(first), "--seeds", "300", *world)
    assert done.returncode == 1, done.stdout
    assert f"--variant {variant}" in done.stdout
