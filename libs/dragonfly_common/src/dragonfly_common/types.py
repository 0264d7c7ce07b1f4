"""The words every process shares: instruments, levels, feed states."""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from typing import Final

from dragonfly_common.errors import InstrumentError
from dragonfly_common.spelling import example_of

__all__ = [
    "MAX_DEPTH",
    "FeedState",
    "Level",
    "OrderSide",
    "Side",
    "is_instrument",
    "normalise_instrument",
]

MAX_DEPTH: Final = 100
"""Levels a side that any part of the system can be asked for."""

Level = tuple[float, float]
"""(price, amount), both doubles nearest to the venue's decimal text, both > 0."""

Side = tuple[Level, ...]
"""Levels of one side, best first."""

_INSTRUMENT = re.compile(r"[^\W_](?:[^\W_]|\.){0,19}-[^\W_](?:[^\W_]|\.){0,19}")


class FeedState(IntEnum):
    """How far one venue's book can be trusted; numbers as in dragonfly.v1.State."""

    SYNCING = 1
    """Asked for at the venue; no trustworthy book yet."""
    LIVE = 2
    """In the consolidated book. No other state is."""
    STALE = 3
    """The venue was silent beyond its own rule, or its book contradicts itself."""
    DOWN = 4
    """No connection to the venue, or no listener for it."""
    UNKNOWN = 5
    """The venue does not list the instrument."""
    HALTED = 6
    """The venue says that nobody can trade it now."""


class OrderSide(StrEnum):
    """The direction of an order: a buy takes asks, and a sell takes bids."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """1 of a buy, which wants less money and more of the base; -1 of a sell."""
        return 1 if self is OrderSide.BUY else -1


def normalise_instrument(text: str) -> str:
    """Return `text` as BASE-QUOTE in upper case (`eth-btc` → `ETH-BTC`).

    Raises:
        InstrumentError: it is not two names of letters and digits joined by one hyphen.
    """
    name = text.strip().upper()
    if not _INSTRUMENT.fullmatch(name):
        example = example_of(text)
        if not _INSTRUMENT.fullmatch(example):
            example = "ETH-BTC"
        raise InstrumentError(
            f"{text[:60]!r} is not an instrument: write BASE-QUOTE, for example {example}"
        )
    return name


def is_instrument(name: str) -> bool:
    """Say whether `name` is an instrument in its normalised form."""
    return bool(_INSTRUMENT.fullmatch(name)) and name == name.upper()
