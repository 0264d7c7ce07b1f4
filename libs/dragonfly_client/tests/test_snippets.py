"""What the documentation shows, and each example, survives empty and stale books and restarts."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
from dragonfly_protos import market_data_pb2 as pb
from stub_gateway import StubGateway, make_bbo, make_book, make_liquidity, make_venues

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
EXAMPLES: Final = (
    "arbitrage_watch.py",
    "best_price.py",
    "ccxt_adapter.py",
    "market_maker.py",
    "sync_book.py",
    "venues.py",
)
PAGES: Final = (
    ROOT / "README.md",
    HERE.parent / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
NAMES: Final = ("ETH-BTC", "BTC-USD")
ADDRESS: Final = "127.0.0.1:50051"
VENUES: Final = ("binance", "bitstamp", "kraken")
BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LOGGED: Final = re.compile(r"stream (disconnected: .+ \(.+\)|reconnected: .+ after \d+\.\d\d s)")


def snippets() -> list[tuple[str, str]]:
    """Return (place, program) of every Python block of the documentation."""
    return [
        (f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 1}", block[1])
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for block in BLOCK.finditer(text)
    ]


def moments() -> Iterator[tuple[str, pb.Book]]:
    """Yield what a bot may be told, worst first."""
    for name in NAMES:
        yield "nothing is known", pb.Book(instrument=name)
    for name in NAMES:
        stale = dict.fromkeys(VENUES, (pb.STATE_STALE, "silent for 1.0 s"))
        yield "all is stale", make_book(name, seq=1, states=stale)
        for side in ("bids", "asks"):
            book = make_book(name, seq=2)
            book.ClearField(side)
            book.spread = 0.0
            yield f"no {side}", book
        yield "all is well", make_book(name, seq=3)
        yield "one is stale", make_book(name, seq=4, states={"kraken": (pb.STATE_DOWN, "gone")})


def publish(gateway: StubGateway, book: pb.Book) -> None:
    for message in (book, make_bbo(book), make_liquidity(book)):
        gateway.publish(message)


def all_is_read(gateway: StubGateway) -> bool:
    return gateway.open_calls > 0 and all(
        session.mailbox.waiting == {} and session.read_all for session in gateway.sessions
    )


async def survive(gateway: StubGateway, program: asyncio.subprocess.Process) -> None:
    """Lead a bot through every moment, twice, with a restart of the gateway at each."""

    async def lead() -> None:
        for _ in range(2):
            for _, book in moments():
                publish(gateway, book)
                await gateway.until(lambda: all_is_read(gateway))
            await gateway.stop()
            for name in NAMES:
                publish(gateway, pb.Book(instrument=name))
            await gateway.start()
            await gateway.until(lambda: all_is_read(gateway))

    leading = asyncio.create_task(lead())
    ending = asyncio.create_task(program.wait())
    await asyncio.wait((leading, ending), return_when=asyncio.FIRST_COMPLETED)
    survived = program.returncode is None
    if survived:
        program.terminate()
    _, stderr = await asyncio.gather(ending, _read(program))
    leading.cancel()
    assert survived, stderr
    leading.result()
    assert [line for line in stderr.splitlines() if not LOGGED.fullmatch(line)] == []
    assert gateway.calls["opened"] >= 3


async def _read(program: asyncio.subprocess.Process) -> str:
    assert program.stderr is not None
    return (await program.stderr.read()).decode()


async def start(arguments: Iterable[str], folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.fixture
async def market(gateway: StubGateway) -> StubGateway:
    gateway.known = list(NAMES)
    gateway.venues = make_venues()
    return gateway


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that a snippet names."""
    for name in ("ca.pem", "bot.pem", "bot.key", "token"):
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----" if "." in name else "secret\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "text"),
    [
        pytest.param(*one, marks=[pytest.mark.examples] if "polars" in one[1] else [], id=one[0])
        for one in snippets()
    ],
)
async def test_a_snippet_survives(market: StubGateway, folder: Path, place: str, text: str) -> None:
    publish(market, make_book())
    program = await start(["-c", text.replace(ADDRESS, market.address)], folder)
    if " for " in text and " in client." in text:
        await survive(market, program)
    else:
        assert (await program.wait(), await _read(program)) == (0, "")


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_survives(market: StubGateway, folder: Path, name: str) -> None:
    path = str(HERE.parent / "examples" / name)
    await survive(market, await start([path, "--gateway", market.address], folder))


def test_the_documentation_shows_what_is_tested() -> None:
    places = [place for place, _ in snippets()]
    assert sum(place.startswith("README.md") for place in places) == 2
    assert len(places) > 5
