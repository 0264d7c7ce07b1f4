"""The time that the legs of an order take. Pure: chance is a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from dragonfly_common.errors import ConfigError

__all__ = ["LegDelays", "LegDraws", "parse_delays"]

MAX_DELAY_MS: Final = 60_000.0
_SPREAD: Final = 0.5
"""Of the logarithm of a delay: one in twelve is more than twice the median."""


@dataclass(frozen=True, slots=True)
class LegDelays:
    """Median times, in ms, that an order and its consequences are under way; 0: none."""

    request_ms: float = 0.0
    """From the client to the venue."""
    engine_ms: float = 0.0
    """Until the engine has matched it."""
    reply_ms: float = 0.0
    """Of the reply to the client."""
    stream_ms: float = 0.0
    """Of events to those who follow the account: overtaking replies, or overtaken by them."""


def parse_delays(text: str) -> LegDelays:
    """Return what `2,0.5,2,3` says: medians of request, engine, reply and stream in ms.

    Raises:
        ConfigError: it is not four numbers from 0 to a minute.
    """
    try:
        delays = [float(part) for part in text.split(",")]
    except ValueError:
        delays = []
    if len(delays) != 4 or not all(0 <= delay <= MAX_DELAY_MS for delay in delays):
        raise ConfigError(
            f"{text!r} are no latencies: write four numbers of ms from 0 to {MAX_DELAY_MS:g}, "
            "REQUEST,ENGINE,REPLY,STREAM, as in 2,0.5,2,3"
        )
    return LegDelays(*delays)


class LegDraws:
    """Draws each leg's delays, lognormal about its median, each from a seed of its own."""

    def __init__(self, delays: LegDelays, seed: str) -> None:
        self._medians = {
            "request": delays.request_ms + delays.engine_ms,
            "reply": delays.reply_ms,
            "stream": delays.stream_ms,
        }
        self._randoms = {leg: Random(f"{seed}/{leg}") for leg in self._medians}  # noqa: S311

    def draw_s(self, leg: str) -> float:
        """Return the delay of one passage of `request` (with the engine), `reply` or `stream`."""
        median_ms = self._medians[leg]
        if not median_ms:
            return 0.0
        return self._randoms[leg].lognormvariate(math.log(median_ms), _SPREAD) / 1000.0
