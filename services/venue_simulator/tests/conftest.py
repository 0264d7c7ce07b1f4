"""Simulators that end with the test."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import Simulator, running_simulator
from venue_simulator.venues import VENUES

# Tests are imported one by one (importlib), so what stands beside them has to be made findable.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def simulate() -> AsyncIterator[Callable[..., Awaitable[Simulator]]]:
    """Return what starts simulators; their markets move by `step` alone, and keep the truth."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Simulator:
            settings = {"keep_truth": True, **options}
            return await stack.enter_async_context(running_simulator(SimulatorOptions(**settings)))

        yield start


@pytest.fixture
async def simulator(
    simulate: Callable[..., Awaitable[Simulator]], request: pytest.FixtureRequest
) -> Simulator:
    """Return a simulator of all venues; of two, where a test or its file is about one of them.

    To start sixteen takes eight times as long.
    """
    given = getattr(request.node, "callspec", None)
    name = given.params.get("venue", "") if given else ""
    name = name or request.path.stem.removeprefix("test_")
    named = max((venue for venue in VENUES if name.startswith(venue)), key=len, default=None)
    if named is None:
        return await simulate()
    other = next(venue for venue in VENUES if venue != named)
    return await simulate(venues=(named, other))
