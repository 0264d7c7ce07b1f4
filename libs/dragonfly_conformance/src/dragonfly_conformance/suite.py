"""Runs the cases: one rig for all, a new one after a failure and for what needs its own limits."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dragonfly_venues.registry import WEBSOCKET, find_venue

from dragonfly_conformance.cases import CASES, CROWD_PER_CONNECTION, concerns
from dragonfly_conformance.rig import INSTRUMENTS, Rig, Violation, open_rig

__all__ = ["CaseResult", "examine"]


@dataclass(frozen=True)
class CaseResult:
    """How a case ended."""

    case: str
    seconds: float
    trouble: str = ""
    """The observation that contradicts it; "" where the case holds."""


async def examine(
    venue: str,
    cases: Sequence[str] = tuple(CASES),
    log_level: str = "error",
    protocol: str = WEBSOCKET,
) -> AsyncIterator[CaseResult]:
    """Run the cases that concern a venue, and yield each verdict as it is reached.

    Raises:
        ConfigError: no installed package has such a venue, or a fake of it.
    """
    async with AsyncExitStack() as stack:
        rig: Rig | None = None
        for name in cases:
            if not concerns(name, find_venue(venue, protocol)):
                continue
            started = time.monotonic()
            trouble = ""
            try:
                if name == "crowd":
                    async with open_rig(
                        venue,
                        protocol,
                        streams_per_connection=CROWD_PER_CONNECTION,
                        log_level=log_level,
                    ) as own:
                        await _run(name, own)
                else:
                    if rig is None:
                        rig = await stack.enter_async_context(
                            open_rig(venue, protocol, log_level=log_level)
                        )
                    await _run(name, rig)
            except Violation as violation:
                trouble = str(violation)
                await stack.aclose()
                rig = None
            yield CaseResult(name, time.monotonic() - started, trouble)


async def _run(name: str, rig: Rig) -> None:
    for instrument in INSTRUMENTS:
        rig.want(instrument)
    await rig.live()
    await CASES[name](rig)
