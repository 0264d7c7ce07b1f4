"""Ways to break the product, mistakes that somebody could make: the simulation must see them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

import feed_listener.listener
from aggregator.arbiter import ReplicaArbiter
from aggregator.world import World
from dragonfly_client._freshness import Freshness
from dragonfly_common.bus.subscriber import Subscriber
from dragonfly_common.bus.transport import Message, Upstream
from dragonfly_common.sequencing import BusSequencer
from dragonfly_common.staleness import PauseDetector, SilenceWatch
from dragonfly_fix import outgoing
from dragonfly_fix.codec import FixMessage
from dragonfly_fix.outgoing import Outgoing
from dragonfly_fix.session import FixEvent, FixSession
from dragonfly_venues.decoding import composed_tops
from dragonfly_venues.decoding.composed_tops import ComposedTops
from dragonfly_venues.events import Bbo, BookTop, Broken
from dragonfly_views.relay import Relay, _Message
from feed_listener.connection.liveness import SilenceTimer
from feed_listener.feeds import Feeds
from msgspec import structs

__all__ = ["VARIANTS"]


def _set(owner: Any, name: str, value: Any) -> Callable[[], None]:
    assert hasattr(owner, name), f"{owner.__name__} has no {name}: this variant breaks nothing"
    return lambda: setattr(owner, name, value)


_identify: Final = Subscriber._identify


def _identify_anybody(
    self: Subscriber, upstream: Upstream, envelope: Message, now: float
) -> BusSequencer | None:
    """A publisher's name is anybody's, however old its epoch: nobody else is looked at."""
    known = self._names, self._upstreams
    self._names, self._upstreams = {}, {}
    try:
        return _identify(self, upstream, envelope, now)
    finally:
        self._names, self._upstreams = known


def _ignore_digest(
    self: BusSequencer, seq: int, digest: Mapping[str, int]
) -> Collection[str] | None:
    """Rules 4 and 5 left out: what was lost stays lost."""
    return []


def _eldest(self: ReplicaArbiter) -> str:
    """The replica that is furthest behind is chosen."""
    books = self._books
    return min(books, key=lambda name: (books[name].state.name != "LIVE", books[name].venue_seq))


def _ignore_gone(self: Relay, *args: object) -> None:
    """A view that moved to another aggregator is shown as it was."""


def _ignore_loss(self: World, *args: object) -> None:
    """What a lost listener said stands."""


_composed: Final = composed_tops.composed


def _compose_unsaid(book: BookTop, best: Bbo, depth: int) -> BookTop:
    """Best prices are put on a book as if all its levels were as new."""
    return structs.replace(_composed(book, best, depth), book_seq=None)


def _keep_best(self: ComposedTops, symbol: str, seq: int) -> BookTop | Broken | None:
    """Best prices stay on a book that has passed them."""
    return self._show(symbol, seq) if symbol in self._ahead else None


_frame: Final = outgoing._frame
_take_in_turn: Final = FixSession._take_in_turn
_ask: Final = FixSession._ask


def _frame_as_new(*parts: Any, poss_dup: bool = False) -> bytes:
    """What is sent again does not say so."""
    return _frame(*parts)


def _pass_before_delivering(
    self: FixSession, message: FixMessage, number: int
) -> Iterator[FixEvent]:
    """A message counts as received before the application has it."""
    self._pass(number)
    return _take_in_turn(self, message, number)


def _ask_once(self: FixSession, end: int, *, again: bool) -> None:
    """What was lost of a replay is not asked for again."""
    if self._gap._asked[0] != self._store.next_in:
        _ask(self, end, again=again)


def _fill_all_gaps(self: Outgoing, first: int, last: int) -> Iterator[bytes]:
    """Nothing is sent again."""
    yield self._gap_fill(first, last + 1)


VARIANTS: Final[dict[str, Callable[[], None]]] = {
    "no-digest": _set(BusSequencer, "on_beat", _ignore_digest),
    "any-epoch": _set(Subscriber, "_identify", _identify_anybody),
    "never-stale-publisher": _set(SilenceWatch, "silent", lambda self, now: []),
    "never-stale-venue": _set(SilenceTimer, "check", lambda self, now: None),
    "never-halted": _set(Feeds, "_apply_trading", lambda self, feed: None),
    "never-frozen": _set(
        feed_listener.listener, "new_pause_detector", lambda now: PauseDetector(math.inf, now)
    ),
    "gone-ignored": _set(World, "on_gone", _ignore_gone),
    "view-gone-ignored": _set(Relay, "on_gone", _ignore_gone),
    "loss-ignored": _set(World, "on_lost", _ignore_loss),
    "eldest-replica": _set(ReplicaArbiter, "_newest", _eldest),
    "steps-back": _set(ReplicaArbiter, "_is_recounted", lambda self, now: True),
    "always-ahead": _set(_Message, "is_ahead_of", lambda self, other: True),
    "best-prices-unsaid": _set(composed_tops, "composed", _compose_unsaid),
    "best-prices-stay": _set(ComposedTops, "on_same", _keep_best),
    "bot-takes-anything": _set(Freshness, "admit", lambda self, view: True),
    "fix-no-poss-dup": _set(outgoing, "_frame", _frame_as_new),
    "fix-passed-early": _set(FixSession, "_take_in_turn", _pass_before_delivering),
    "fix-asked-once": _set(FixSession, "_ask", _ask_once),
    "fix-never-sent-again": _set(Outgoing, "_replay", _fill_all_gaps),
}
