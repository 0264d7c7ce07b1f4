"""An existing client of the first generation's contract works unchanged."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from dragonfly_client import Level
from oracle import expected_spread, misordered
from system import VENUES, Bot, System, live_venues

ROOT: Path = Path(__file__).parents[1]
SUMMARIES = 50


async def run_python(*arguments: str, path: Path | None = None) -> str:
    """Run a Python program to its end and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ) | ({"PYTHONPATH": str(path)} if path else {}),
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def legacy_summaries(generated: Path, *arguments: str) -> list[dict[str, object]]:
    """Generate the client's code from its one file, run it, and return what it received."""
    await run_python(
        *("-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", f"--python_out={generated}"),
        *(f"--grpc_python_out={generated}", "orderbook.proto"),
    )
    client = str(Path(__file__).parent / "legacy_client.py")
    printed = await run_python(client, *arguments, path=generated)
    return [json.loads(line) for line in printed.splitlines()]


def levels(rows: object) -> list[Level]:
    assert isinstance(rows, list)
    return [Level(*row) for row in rows]


async def test_top_ten_both_sides_in_order_with_an_exact_spread(system: System) -> None:
    await system.start(
        simulator=("--rate", "50"), gateway=("--instrument", "ETH-BTC"), together=True
    )
    async with Bot(system.gateway_address, "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == set(VENUES), what="all venues live")

    received = await legacy_summaries(system.folder, system.gateway_address, str(SUMMARIES))

    assert len(received) == SUMMARIES
    for summary in received:
        bids, asks = levels(summary["bids"]), levels(summary["asks"])
        assert (len(bids), len(asks)) == (10, 10)
        assert {level.venue for level in (*bids, *asks)} <= set(VENUES)
        assert misordered(bids, asks) is None
        assert summary["spread"] == expected_spread(bids, asks)


async def test_another_instrument_by_metadata(system: System) -> None:
    await system.start(
        simulator=("--rate", "20"), gateway=("--instrument", "ETH-BTC"), together=True
    )
    async with Bot(system.gateway_address, "BTC-USD") as bot:
        await bot.until(lambda book: book.live, what="a live book")

    received = await legacy_summaries(system.folder, system.gateway_address, "3", "BTC-USD")

    # The two markets' prices are orders of magnitude apart.
    assert all(level.price > 100 for summary in received for level in levels(summary["bids"]))
    assert len(received) == 3
