"""Requests to Bitget and its answers: each argument of a request is answered by itself.

An unknown symbol is refused by name.
"""

from __future__ import annotations

from typing import Final

from dragonfly_venues.decoding.arguments import arguments
from dragonfly_venues.decoding.frames import write
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.venue import Ask

__all__ = ["REST", "SYMBOLS_PER_REQUEST", "channel", "request"]

SYMBOLS_PER_REQUEST: Final = 10
"""4096 bytes are allowed; a frame of some 25 arguments ended a connection to v3."""
REST: Final = RestEnvelope(ok="00000")

_BEST: Final = "books1"
_BOOKS: Final = "books"


def channel(depth: int) -> str:
    """Return the channel for so many levels: the best alone comes every 10 ms, books every 150.

    `books5` and `books15` are no faster than `books`.
    """
    return _BEST if depth == 1 else _BOOKS


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`."""
    return [write(arguments(ask, instType="SPOT", channel=channel(ask.depth)))]
