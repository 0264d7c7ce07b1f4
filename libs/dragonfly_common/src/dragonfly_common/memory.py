"""Memory that a burst took, given back to the machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import cast

__all__ = ["give_back"]


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
