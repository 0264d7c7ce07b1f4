"""A gateway between a fake aggregator and a bot."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grpc_gateway.service import GatewayOptions
from grpc_gateway.servicer import BotLimits

# Tests are imported one by one (importlib): what they share must be made findable.
sys.path.insert(0, str(Path(__file__).parent))

from gateway_world import Bot, RunningGateway, running
from patience import PATIENCE_S
from view_world import Aggregator

LISTED = ("BTC-USD", "ETH-BTC", "LTC-BTC")


@pytest.fixture
def upstream(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/aggregator"


@pytest.fixture
def patience_s() -> float:
    """How long a request waits for what is not there yet: what a test says is on its way."""
    return PATIENCE_S


@pytest.fixture
def options(upstream: str, patience_s: float) -> GatewayOptions:
    """What the gateway of these tests is told: limits small enough to reach."""
    return GatewayOptions(
        upstreams=(upstream,),
        bind="127.0.0.1:0",
        instruments=("ETH-BTC",),
        limits=BotLimits(
            depth=10,
            max_instruments=3,
            window=4,
            acknowledge_within_s=0.5,
            patience_s=patience_s,
            settles_after_s=0.1,
        ),
        linger_s=0.1,
        max_streams=4,
        max_total_streams=6,
    )


@pytest.fixture
async def aggregator(upstream: str) -> AsyncIterator[Aggregator]:
    """An aggregator with one live venue that lists three instruments."""
    aggregator = Aggregator(upstream)
    aggregator.say_venue()
    aggregator.say_instruments(*LISTED)
    yield aggregator
    await aggregator.close()


@pytest.fixture
async def gateway(options: GatewayOptions) -> AsyncIterator[RunningGateway]:
    async with running(options) as gateway:
        yield gateway


@pytest.fixture
async def bot(gateway: RunningGateway) -> AsyncIterator[Bot]:
    async with gateway.bot() as bot:
        yield bot
