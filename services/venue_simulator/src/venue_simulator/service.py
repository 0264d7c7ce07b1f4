"""The simulator as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from dragonfly_common.runtime import Runtime

from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import Simulator, running_simulator

__all__ = ["serve"]

BEAT_INTERVAL_S: Final = 0.5


async def serve(runtime: Runtime, options: SimulatorOptions) -> None:
    """Simulate until cancelled.

    Raises:
        UserError: the options name something that cannot be had.
    """
    async with _beating(runtime) as beats, running_simulator(options, runtime.clock) as simulator:
        runtime.warn_if_open(
            f"{simulator.address.host}:{simulator.address.port}",
            "everybody who reaches it can make the venues fail",
            "leave out --host",
        )
        if simulator.fix is not None:
            runtime.warn_if_open(
                simulator.fix.address, "everybody who reaches it can try keys", "change --fix"
            )
        runtime.ready(**_facts(simulator))
        await beats


@asynccontextmanager
async def _beating(runtime: Runtime) -> AsyncIterator[asyncio.Task[None]]:
    """Beat from the start: it takes a while to load recordings."""

    async def beat() -> None:
        while True:
            runtime.beat()
            await asyncio.sleep(BEAT_INTERVAL_S)

    task = asyncio.create_task(beat())
    try:
        yield task
    finally:
        task.cancel()


def _facts(simulator: Simulator) -> dict[str, object]:
    address, fix = simulator.address, simulator.fix
    return {
        "address": f"{address.host}:{address.port}",
        "venues": {
            venue: {
                "ws": simulator.ws_url(venue),
                "rest": simulator.rest_url(venue),
                **(fix.facts if fix is not None and fix.venue == venue else {}),
            }
            for venue in simulator.venues
        },
        "control": simulator.control_url,
    }
