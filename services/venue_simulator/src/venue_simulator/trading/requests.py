"""Signed requests. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["SignedRequest"]

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class SignedRequest(Generic[Reply]):
    """A request that a venue's engine gets after a while, be the client still there or not."""

    act: Callable[[int], Reply]
    """Checks and performs it, at ns since the epoch by the venue's clock; returns the reply."""
    changes: bool
    """It places or cancels: what befalls orders befalls it."""
    unknown: Reply
    """The venue's words for an outcome that it does not know."""
    failed: Reply
    """The venue's words for an error of its own."""
    limit: Callable[[int, int, int], Reply]
    """Returns the refusal of one too many: of 429 or 418, now, and when it may come again (ns)."""
