from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S

EXAMPLES = Path(__file__).parent.parent / "examples"

EXPECTED = {
    "best_price.py": "ETH-BTC: sell at 0.0",
    "arbitrage_watch.py": "",
    "sync_book.py": "ETH-BTC spread",
    "venues.py": "binance    LIVE     2/2 instruments live",
}


def test_every_example_is_expected_to_say_something() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*EXPECTED, "connecting.py"}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs(name: str, stub_address: str) -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "--gateway", stub_address, "--seconds", "0.8"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(EXPECTED[name])
