"""The order in which first books are asked for over REST. Pure: time and chance are parameters.

A venue that sends no book before the next change leaves a market that rests without one. The
symbols that wait are looked up each time: a frame that came, a symbol that nobody wants any more
and a connection that ended need not be reported. Only requests under way and delays are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Final, Protocol

import msgspec
from dragonfly_venues.events import BookTop
from dragonfly_venues.transport.backoff import Backoff

__all__ = ["AFTER_S", "FIRST_RETRY_S", "Seedable", "Seeding", "Wish"]

AFTER_S: Final = 0.3
"""A market that moves has sent its book by then: only those that rest are asked for."""
FIRST_RETRY_S: Final = 1.0


class Seedable(Protocol):
    """A connection whose symbols may wait for their first books."""

    def awaits(self, symbol: str, since: float) -> bool:
        """Say whether `symbol` has waited since `since`, and could be served now."""
        ...

    def seed(self, book: BookTop) -> None:
        """Take the first book of a symbol that waits."""
        ...

    def report_unbooked(self, symbol: str, trouble: str = "") -> None:
        """Say that `symbol` waits, and why REST gives it no book."""
        ...


class Wish(msgspec.Struct, frozen=True):
    """A first book that is waited for; another subscription's is another wish."""

    connection: Seedable
    symbol: str
    since: float
    """When the subscription was acknowledged."""

    def stands(self) -> bool:
        """Say whether it is still waited for."""
        return self.connection.awaits(self.symbol, self.since)


class _Delay:
    """How often and until when a symbol's turn was put off."""

    def __init__(self, random: Callable[[], float]) -> None:
        self.backoff = Backoff(random, FIRST_RETRY_S)
        self.times = 0
        self.until = 0.0


class Seeding:
    """Chooses the next among the symbols that wait."""

    def __init__(self, rank: Callable[[str], int], random: Callable[[], float]) -> None:
        """`rank` is of a symbol: the lowest come first, of equals who has waited longest.

        `random` returns [0, 1).
        """
        self._rank = rank
        self._random = random
        self._under_way: set[Wish] = set()
        self._delays: dict[str, _Delay] = {}

    @property
    def under_way(self) -> int:
        """How many were begun and have not ended."""
        return len(self._under_way)

    def choose(self, wishes: Collection[Wish], now: float) -> tuple[Wish | None, float]:
        """Return whose turn it is, or None and seconds until it is somebody's."""
        known = {wish.symbol for wish in (*wishes, *self._under_way)}
        self._delays = {name: delay for name, delay in self._delays.items() if name in known}
        due = {wish: self._due_at(wish) for wish in wishes if wish not in self._under_way}
        ready = [wish for wish, at in due.items() if at <= now]
        if ready:
            return min(ready, key=lambda wish: (self._rank(wish.symbol), wish.since)), 0.0
        return None, min(due.values(), default=math.inf) - now

    def begin(self, wish: Wish) -> None:
        """Note that its book was asked for."""
        self._under_way.add(wish)

    def end(self, wish: Wish) -> None:
        """Note that there is an answer, or none."""
        self._under_way.discard(wish)

    def put_off(self, symbol: str, now: float) -> int:
        """Put the symbol's next turn off; return how often that was done in a row."""
        delay = self._delays.setdefault(symbol, _Delay(self._random))
        delay.times += 1
        delay.until = now + delay.backoff.next_s()
        return delay.times

    def _due_at(self, wish: Wish) -> float:
        delay = self._delays.get(wish.symbol)
        return max(wish.since + AFTER_S, delay.until if delay is not None else 0.0)
