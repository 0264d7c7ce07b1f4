"""REST, judged by what others wrote: schemathesis asks what /openapi.json describes, and more.

It is kept in an environment of its own, which `make rest-test` fills.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from system import System

pytestmark = [pytest.mark.rest, pytest.mark.timeout(600)]

SCHEMATHESIS = Path(sys.prefix) / "schemathesis" / "bin" / "st"
USUAL = (
    "--continue-on-failure",
    "--no-color",
    "--max-time=40",
    "--seed=1",
    "--phases=examples,coverage,fuzzing",
    "--header=Authorization: Bearer ann",
)
KINDS = {
    "asks": ("--exclude-method=POST",),
    # Whether an order can be taken is more than a description can say.
    "changes": ("--include-method=POST", "--exclude-checks=positive_data_acceptance"),
}


async def test_it_is_as_it_describes_itself(tmp_path: Path) -> None:
    if not SCHEMATHESIS.exists():
        pytest.skip("schemathesis is not installed here: `make rest-test` does it")
    with System(tmp_path) as system:
        url = await system.start_trading({"ann": ("md", "trade"), "screen": ("md",)}, depth=100)
        for kind, words in KINDS.items():
            asked: list[Path | str] = [SCHEMATHESIS, "run", f"{url}openapi.json", *USUAL, *words]
            done = await asyncio.to_thread(_run, asked, tmp_path)
            assert done.returncode == 0, f"{kind}:\n{done.stdout[-20_000:]}{done.stderr[-2000:]}"


def _run(command: list[Path | str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
