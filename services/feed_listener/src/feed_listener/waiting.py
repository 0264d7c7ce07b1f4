"""Long waits, of which is said how long they still are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from dragonfly_common.clock import Clock

__all__ = ["SAID_EVERY_S", "SAID_FROM_S", "tried_again_in", "wait"]

SAID_FROM_S: Final = 60.0
SAID_EVERY_S: Final = 60.0


async def wait(seconds: float, clock: Clock, say: Callable[[str], None]) -> None:
    """Sleep for `seconds`; from a minute on, `say` once a minute when that is over."""
    until = clock.monotonic() + seconds
    left_s = seconds
    while True:
        if seconds >= SAID_FROM_S:
            say(tried_again_in(left_s))
        await asyncio.sleep(min(left_s, SAID_EVERY_S))
        left_s = until - clock.monotonic()
        if left_s <= 0.0:
            return


def tried_again_in(seconds: float) -> str:
    """Return "tried again in 1 d 2 h 3 min", rounded up."""
    minutes = math.ceil(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return "tried again in " + " ".join(f"{count} {unit}" for count, unit in parts if count)
