"""A FIX gateway between a fake aggregator and a customer."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fix_gateway.md_session import CustomerLimits
from fix_gateway.service import FixGatewayOptions

# Tests are imported one by one (importlib): what they share must be made findable.
sys.path.insert(0, str(Path(__file__).parent))

from customer_world import Customer, Running, running
from patience import PATIENCE_S
from view_world import Aggregator

LISTED = ("BTC-USD", "ETH-BTC", "LTC-BTC")


@pytest.fixture
def upstream(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/aggregator"


@pytest.fixture
def fix_options(upstream: str) -> FixGatewayOptions:
    """What the gateway of these tests is told: limits small enough to reach."""
    return FixGatewayOptions(
        upstreams=(upstream,),
        bind="127.0.0.1:0",
        instruments=(),
        limits=CustomerLimits(depth=10, max_instruments=3, max_requests=4),
        linger_s=0.1,
        max_sessions=3,
        patience_s=PATIENCE_S,
        settles_after_s=0.1,
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
async def fix_gateway(fix_options: FixGatewayOptions) -> AsyncIterator[Running]:
    async with running(fix_options) as gateway:
        yield gateway


@pytest.fixture
async def customer(fix_gateway: Running) -> AsyncIterator[Customer]:
    async with fix_gateway.customer() as customer:
        yield customer
        assert customer.rejections == []
