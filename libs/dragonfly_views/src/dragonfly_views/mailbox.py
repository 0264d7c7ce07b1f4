"""The mail of one bot, conflated: of each view only the newest state waits for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, NamedTuple, TypeVar

__all__ = ["Mail", "Mailbox"]

K = TypeVar("K", bound=Hashable)
S = TypeVar("S")


class Mail(NamedTuple, Generic[K, S]):
    """A state, and how many newer-than-sent states it replaced unseen."""

    key: K
    state: S
    replaced: int


class Mailbox(Generic[K, S]):
    """Holds one state per key, in the order in which the keys first changed.

    Its size is bounded by what the bot subscribed to, however slowly the bot reads.
    """

    def __init__(self, on_mail: Callable[[], None]) -> None:
        """`on_mail` is called when something waits in what was empty."""
        self._on_mail = on_mail
        self.waiting: Final[dict[K, Mail[K, S]]] = {}
        """What waits, that which has waited longest first; for others to look at."""

    def __len__(self) -> int:
        return len(self.waiting)

    def put(self, key: K, state: S) -> None:
        """Leave the newest state of `key`; one that waits is replaced and keeps its place."""
        waiting = self.waiting.get(key)
        if waiting is not None:
            self.waiting[key] = Mail(key, state, waiting.replaced + 1)
            return
        self.waiting[key] = Mail(key, state, 0)
        if len(self.waiting) == 1:
            self._on_mail()

    def take(self) -> Mail[K, S] | None:
        """Take the state that waits longest, or None."""
        return self.waiting.pop(next(iter(self.waiting))) if self.waiting else None

    def drop(self, key: K) -> None:
        """Forget what waits of `key`."""
        self.waiting.pop(key, None)
