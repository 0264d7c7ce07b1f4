"""What one request goes on to tell: books, or venues' states. Pure but for mailboxes.

A mailbox holds the newest state of each view. What is told is computed when it is written, from
what was written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from dragonfly_common.clock import Clock
from dragonfly_views.mailbox import Mailbox
from dragonfly_views.relay import Reader, ViewKey
from dragonfly_views.views import Views
from dragonfly_views.wire import SharedView

from fix_gateway.market_data import STATUSES, FixBook, VenueWord, renderer, status
from fix_gateway.requests import FixBody, MarketDataWish

__all__ = ["BookTeller", "Subscription", "Teller", "VenueTeller"]

NOT_TRADED: Final = b"19"


class Teller(Protocol):
    """What a request is told."""

    def tell(self, key: ViewKey, state: SharedView) -> Iterator[FixBody]:
        """Yield the messages for a new state of a view.

        Raises:
            DecodeError: the aggregator's bytes are no view.
        """


class BookTeller:
    """The books that a MarketDataRequest (V) asked for: whole, or by difference after the first."""

    def __init__(self, request: bytes, wish: MarketDataWish) -> None:
        self._request = request
        self._depth = wish.depth
        self._render = renderer(wish.kind, wish.sides)
        self._incremental = wish.incremental
        self._told: dict[ViewKey, FixBook] = {}

    def tell(self, key: ViewKey, state: SharedView) -> Iterator[FixBody]:
        book = state.form(self._render, self._depth)
        told = self._told.get(key)
        if self._incremental:
            self._told[key] = book
        if told is None:
            yield b"W", book.snapshot(self._request)
        elif changes := book.refresh(self._request, told):
            yield b"X", changes


class VenueTeller:
    """The venues of an instrument that a SecurityStatusRequest (e) asked for."""

    def __init__(self, request: bytes, venue: bytes, clock: Clock) -> None:
        """`venue` leaves out all others, unless it is empty."""
        self._request = request
        self._venue = venue
        self._clock = clock
        self._told: dict[bytes, VenueWord] = {}
        self._first = True

    def tell(self, key: ViewKey, state: SharedView) -> Iterator[FixBody]:
        words = {word.venue: word for word in state.form(STATUSES[key.kind], 1)}
        if self._venue:
            unknown = VenueWord(self._venue, NOT_TRADED, b"")
            words = {self._venue: words.get(self._venue, unknown)}
        for venue, word in words.items():
            if self._told.get(venue) != word:
                self._told[venue] = word
                symbol, now_ns = key.instrument.encode(), self._clock.now_ns()
                yield b"f", status(self._request, symbol, word, now_ns, unsolicited=not self._first)
        self._first = False


class Subscription:
    """A request that goes on: its views, their newest states, and what is told of them."""

    def __init__(
        self,
        teller: Teller,
        views: Views,
        keys: tuple[ViewKey, ...],
        on_mail: Callable[[Subscription], None],
    ) -> None:
        self.teller = teller
        self.views = views
        self.keys = keys
        self.mailbox: Reader = Mailbox(lambda: on_mail(self))

    def join(self, now: float) -> None:
        for key in self.keys:
            self.views.relay.join(self.mailbox, key, now)

    def leave(self, now: float) -> None:
        for key in self.keys:
            self.views.relay.leave(self.mailbox, key, now)

    def held(self) -> list[str]:
        """Return what it counts for in a quota."""
        return [one for key in self.keys for one in self.views.held(key)]
