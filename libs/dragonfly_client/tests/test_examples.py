from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S, patiently
from stub_gateway import StubGateway, make_book

EXAMPLES = Path(__file__).parent.parent / "examples"

EXPECTED = {
    "best_price.py": "ETH-BTC: sell at 0.0",
    "arbitrage_watch.py": "",
    "sync_book.py": "ETH-BTC spread",
    "market_maker.py": "quote 0.0",
    "ccxt_adapter.py": "ETH/BTC 20",
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


async def test_of_a_book_without_a_side_no_spread_is_shown(gateway: StubGateway) -> None:
    book = make_book(seq=1)
    del book.asks[:]
    book.spread = 0.0
    gateway.publish(book)
    words = (EXAMPLES / "sync_book.py", "--gateway", gateway.address, "--seconds", "0")
    program = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE
    )
    async with patiently():
        said, _ = await program.communicate()
    assert said.startswith(b"ETH-BTC spread - replaced 0 ")


@pytest.mark.examples
def test_the_notebook_runs(stub_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = map(importlib.import_module, ("nbclient", "nbformat"))
    monkeypatch.setenv("DRAGONFLY_GATEWAY", stub_address)
    notebook = nbformat.read(EXAMPLES / "tables.ipynb", as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    nbclient.NotebookClient(notebook, timeout=PATIENCE_S, kernel_name="python3").execute()
    told = [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    assert "LIVE" in told[1]
    assert "1000000: None" in told[2]
    assert "ask_venue_00" in told[3]
