"""Another gateway than gRPC's, in a process that cannot import gRPC: views over a real bus."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_views.relay import ViewKey
from patience import patiently
from view_world import Aggregator, make_book, until, write_tokens

PROGRAM = Path(__file__).with_name("line_gateway.py")
WITHOUT_GRPC = """
import runpy, sys
sys.modules.update(grpc=None, grpc_gateway=None)  # who imports them fails
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
TOKEN, OTHER = "a-token-of-alpha", "a-token-of-beta"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.toml"
    write_tokens(file, {"alpha": [TOKEN], "beta": [OTHER]}, streams=3, instruments=1)
    return file


@pytest.fixture
async def aggregator(tmp_path: Path) -> AsyncIterator[Aggregator]:
    aggregator = Aggregator(f"ipc://{tmp_path}/aggregator")
    aggregator.say_venue()
    aggregator.say_instruments("BTC-USD", "ETH-BTC")
    yield aggregator
    await aggregator.close()


@pytest.fixture
async def port(tmp_path: Path, tokens: Path, aggregator: Aggregator) -> AsyncIterator[int]:
    gateway = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WITHOUT_GRPC,
        PROGRAM,
        f"ipc://{tmp_path}/aggregator",
        tokens,
        stdout=asyncio.subprocess.PIPE,
    )
    assert gateway.stdout is not None
    try:
        async with patiently():
            yield int(await gateway.stdout.readline())
    finally:
        gateway.kill()
        await gateway.wait()


class Reading:
    """A connection that follows one book."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def next(self) -> dict[str, Any]:
        """Return what the next line says; nothing where the connection ended."""
        async with patiently():
            line = await self._lines.readline()
        said: dict[str, Any] = json.loads(line) if line else {}
        return said

    async def until_live(self) -> dict[str, Any]:
        """Return the next live book."""
        while not (said := await self.next()).get("live"):
            assert "refused" not in said, said
        return said


@asynccontextmanager
async def reading(
    port: int, instrument: str = "ETH-BTC", *, depth: object = 0, token: str = TOKEN
) -> AsyncIterator[Reading]:
    lines, out = await asyncio.open_connection("127.0.0.1", port)
    out.write(f"{token} {instrument} {depth}\n".encode())
    try:
        yield Reading(lines)
    finally:
        out.close()


async def refusal(port: int, instrument: str = "ETH-BTC", **asked: Any) -> tuple[str, str]:
    async with reading(port, instrument, **asked) as refused:
        said = await refused.next()
        assert await refused.next() == {}
    return said["refused"], said["sentence"]


async def test_books_are_followed_at_a_depth_and_asked_for_as_long_as_they_are(
    aggregator: Aggregator, port: int
) -> None:
    key = ViewKey(ViewKind.BOOK, "ETH-BTC")
    async with reading(port, depth=2) as two, reading(port) as every:
        await until(lambda: key in aggregator.wanted)
        for mid in (1.0, 2.0):
            aggregator.say(make_book(levels=3, mid=mid))
            for followed, levels in ((two, 2), (every, 3)):
                book = await followed.until_live()
                assert book["bids"] == [[mid - i / 64, i] for i in range(1, levels + 1)]
                assert book["stamped"]
    await until(lambda: key not in aggregator.wanted)


async def test_a_view_whose_aggregator_is_gone_is_not_live_and_says_why(
    aggregator: Aggregator, port: int
) -> None:
    async with reading(port) as followed:
        aggregator.say(make_book())
        await followed.until_live()
        await aggregator.close()
        while (book := await followed.next())["live"]:
            pass
        assert book["bids"] == []
        assert book["venues"]["kraken"].startswith("aggregator lost")


async def test_what_is_not_listed_is_refused_with_what_was_meant(port: int) -> None:
    assert await refusal(port, "XBT-USD") == (
        "not_found",
        "no venue lists XBT-USD: did you mean BTC-USD?",
    )
    code, sentence = await refusal(port, "ABC-XYZ")
    assert code == "not_found"
    assert sentence.endswith("LIST says what there is")
    code, sentence = await refusal(port, "eth/btc")
    assert code == "invalid"
    assert "did you mean ETH-BTC?" in sentence
    assert (await refusal(port, depth=11))[0] == "invalid"
    assert (await refusal(port, depth="all"))[0] == "invalid"


async def test_quotas_are_a_bots_over_all_its_connections(port: int) -> None:
    async with reading(port) as one:
        await one.next()
        code, sentence = await refusal(port, "BTC-USD")
        assert code == "over_limit"
        assert "1 instruments are followed by bot alpha" in sentence
        async with reading(port, "BTC-USD", token=OTHER) as others, reading(port) as two:
            await others.next()
            await two.next()
            async with reading(port) as three:
                await three.next()
                code, sentence = await refusal(port)
                assert code == "over_limit"
                assert sentence == (
                    "3 streams are open by bot alpha, which is its quota streams: end one"
                )


async def test_only_known_tokens_are_served_and_as_long_as_they_hold(
    port: int, tokens: Path
) -> None:
    code, sentence = await refusal(port, token="unheard-of")
    assert code == "unknown_caller"
    assert sentence == "this gateway does not know the token: ask for a new one"
    async with reading(port) as ended, reading(port, token=OTHER) as kept:
        await ended.next()
        await kept.next()
        write_tokens(tokens, {"beta": [OTHER]})
        while "refused" not in (said := await ended.next()):
            pass
        assert said["refused"] == "unknown_caller"
        assert (await refusal(port))[0] == "unknown_caller"
        async with reading(port, token=OTHER) as again:
            assert "refused" not in await again.next()
