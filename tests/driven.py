"""What has an end of the bus, driven for as long as a test has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from dragonfly_common.bus import End, drive

__all__ = ["driven"]


class _Turning(Protocol):
    def turn(self) -> float: ...


@asynccontextmanager
async def driven(one: _Turning, end: End) -> AsyncIterator[None]:
    """Let `one` take its turns whenever something comes at `end`."""
    driving = asyncio.create_task(drive((end,), one.turn))
    try:
        yield
    finally:
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
