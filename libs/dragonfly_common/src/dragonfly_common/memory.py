"""Memory: what a burst took is given back, and what a start made is not looked at again."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Final, cast

__all__ = ["give_back", "settle_collector"]

COLLECT_AFTER: Final = 10_000
"""Objects that may be part of a cycle, made and not freed. Python 3.11's 700 are as many as one
book for each of 500 bots takes for a moment."""


def _trimmer() -> Callable[[int], int]:
    try:
        return cast("Callable[[int], int]", ctypes.CDLL(None).malloc_trim)
    except (OSError, AttributeError):  # another allocator than glibc's keeps to rules of its own
        return lambda _: 0


_trim = _trimmer()


def give_back() -> bool:
    """Return to the machine what is free; say whether that was anything.

    glibc by itself gives back no more than the free end of its heap: one message that outlives a
    burst keeps all that the burst took. Takes about a millisecond; other Python threads run on.
    """
    return bool(_trim(0))


def settle_collector() -> None:
    """Let the garbage collector never look again at what there is, and seldom at what comes.

    Call it once, when all is imported, and `gc.collect` now and then from the thread that does the
    work: a bot's stream that has ended leaves cycles, and on a quiet market nothing else would have
    them looked for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
