"""A web gateway before a stub of the gRPC gateway, with three live venues and one book."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from patience import eventually

# Tests are imported one by one (importlib): what they share must be made findable.
sys.path.insert(0, str(Path(__file__).parent))

from stub_gateway import StubGateway, make_bbo, make_book, make_liquidity, make_venues
from web_world import RunningWeb, running


@pytest.fixture
async def stub() -> AsyncIterator[StubGateway]:
    async with StubGateway(known=("ETH-BTC", "BTC-USD")) as stub:
        stub.venues = make_venues()
        book = make_book()
        for message in (book, make_bbo(book), make_liquidity(book)):
            stub.publish(message)
        yield stub


@pytest.fixture
async def web(stub: StubGateway) -> AsyncIterator[RunningWeb]:
    async with running(stub.address) as web:

        async def knows_instruments() -> bool:
            return "did you mean" in str(await web.get("v1/book/eth-btc"))

        await eventually(knows_instruments, "the list of instruments is there")
        yield web
