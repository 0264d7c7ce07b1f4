"""Which bots read which views, and what each view last was. Pure: time and the bus are parameters.

Views come in as bytes and go out into mailboxes; interest in them goes upstream once, however many
bots share it, and lingers after the last one left.

One aggregator speaks for a view at a time. Another one that has a live view takes its place where
that view is ahead: no venue in it is behind what is shown, and some venue is further. So nothing
goes back while an instrument moves from one aggregator to another. When the speaker is gone, what
it said last stands until another has caught up, for a moment at most. From then on the gateway
itself says that nothing is known, until none is behind any more; and so it does when all are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, Protocol

from dragonfly_common.messages import View
from dragonfly_common.topics import RELIST_PREFIX, ViewKind, view_topic
from dragonfly_common.types import MAX_DEPTH

from dragonfly_views.mailbox import Mailbox
from dragonfly_views.placeholder import absent_view, heads
from dragonfly_views.wire import SharedView

__all__ = ["Reader", "Relay", "Upstream", "ViewKey"]

UNHEARD_LIMIT_S: Final = 1.0
"""A view that no aggregator sent for so long after it was asked for is told to be absent."""
HOLD_S: Final = 0.5
"""How long a view stands whose aggregator is gone while another one has it, and is behind."""
RELIST_S: Final = 90.0
"""How long venues' lists are read again after a bot asked for what none lists: longer than the
minute that a listener leaves between two looks."""
RECOUNT_S: Final = 5.0
"""What is still behind by then counts anew: aggregators go by the same time."""


class ViewKey(NamedTuple):
    kind: ViewKind
    instrument: str


Reader = Mailbox[ViewKey, SharedView]


class Upstream(Protocol):
    """Where views are asked for: a `Subscriber`."""

    def subscribe(self, prefix: str) -> None: ...
    def unsubscribe(self, prefix: str) -> None: ...


class _Said:
    """What one aggregator last said of a view."""

    def __init__(self, kind: ViewKind, view: View, epoch: int) -> None:
        self.live = view.live
        self.epoch = epoch
        self.body = view.body
        self.state = SharedView(kind, view.body, view.depth, view.ts_agg, live=view.live)
        self._kind = kind

    @cached_property
    def heads(self) -> dict[str, int]:
        """How far each live venue is: decoded where another aggregator speaks of it too."""
        return heads(self._kind, self.body)

    def covers(self, other: _Said) -> bool:
        """Say whether no venue here is behind where it is in `other`."""
        return all(self.heads.get(venue, -1) >= at for venue, at in other.heads.items())

    def goes_back_from(self, other: _Said) -> bool:
        """Say whether a venue is live in both, and further in `other`."""
        return any(at < other.heads.get(venue, at) for venue, at in self.heads.items())

    def is_ahead_of(self, other: _Said) -> bool:
        return self.covers(other) and self.heads != other.heads


@dataclass
class _Entry:
    said: dict[str, _Said] = field(default_factory=dict)
    believed: _Said | None = None
    """What is shown, unless that is the gateway's own word."""
    left_at: float | None = None
    """Since when the speaker of `believed` is gone, None while it is there."""
    withheld: bool = False
    """Whether `believed` is shown no more, and nobody else may be yet."""
    shown: SharedView | None = None
    readers: set[Reader] = field(default_factory=set)

    def show(self, key: ViewKey, state: SharedView) -> None:
        self.shown = state
        for reader in self.readers:
            reader.put(key, state)

    def believe(self, key: ViewKey, said: _Said) -> None:
        """Show what an aggregator said."""
        self.believed, self.left_at, self.withheld = said, None, False
        self.show(key, said.state)

    def successor(self, of: _Said, better: Callable[[_Said, _Said], bool]) -> _Said | None:
        """Return another live view that is `better`, if there is one."""
        others = (said for said in self.said.values() if said.live and said is not of)
        return next((said for said in others if better(said, of)), None)

    def best(self) -> _Said:
        """Return the live view that is furthest, else that of the aggregator that started last."""
        return max(self.said.values(), key=lambda said: (said.live, len(said.heads), said.epoch))


class Relay:
    """All views of one gateway."""

    def __init__(self, upstream: Upstream, linger_s: float, always: Iterable[ViewKey] = ()) -> None:
        """`always` are asked for at once and for good."""
        self._upstream = upstream
        self._linger_s = linger_s
        self._always = frozenset(always)
        self._entries: dict[ViewKey, _Entry] = {}
        self._unread: dict[ViewKey, float] = {}
        self._unheard: dict[ViewKey, float] = {}
        self._relists_until: float | None = None
        for key in self._always:
            self._ask(key)

    def join(self, reader: Reader, key: ViewKey, now: float) -> None:
        """Leave every state of a view in `reader` from now on, beginning with the present one."""
        entry = self._entries.get(key) or self._ask(key)
        self._unread.pop(key, None)
        entry.readers.add(reader)
        if entry.shown is not None:
            reader.put(key, entry.shown)
        else:
            self._unheard.setdefault(key, now + UNHEARD_LIMIT_S)

    def relist(self, now: float) -> None:
        """Let venues read their lists again: a bot wants what none lists so far."""
        if self._relists_until is None:
            self._upstream.subscribe(RELIST_PREFIX)
        self._relists_until = now + RELIST_S

    def leave(self, reader: Reader, key: ViewKey, now: float) -> None:
        """End a `join`; what waits in `reader` of that view is gone."""
        entry = self._entries.get(key)
        if entry is None or reader not in entry.readers:
            return
        entry.readers.discard(reader)
        reader.drop(key)
        if not entry.readers and key not in self._always:
            self._unread[key] = now + self._linger_s

    def hear(self, publisher: str, epoch: int, key: ViewKey, view: View, now: float) -> None:
        """Take an aggregator's view, and show it unless a better one is being shown."""
        entry = self._entries.get(key)
        if entry is None:
            return
        self._unheard.pop(key, None)
        before = entry.said.get(publisher)
        said = entry.said[publisher] = _Said(key.kind, view, epoch)
        if entry.left_at is None and (
            len(entry.said) == 1 or (said.live and before is entry.believed)
        ):
            # What the speaker alone has lost stays in the books where another one has it.
            better = entry.successor(said, _Said.is_ahead_of) if len(entry.said) > 1 else None
            entry.believe(key, better or said)
        else:
            _choose(entry, key, now)

    def hear_gone(self, publisher: str, key: ViewKey, now: float, now_ns: int) -> None:
        """Take an aggregator's word that another one computes a view by now."""
        if key in self._entries:
            self._void(publisher, key, "aggregator left it", now, now_ns)

    def lose(self, publisher: str, reason: str, now: float, now_ns: int) -> None:
        """Void all that an aggregator said, and show what takes its place."""
        for key in self._entries:
            self._void(publisher, key, f"aggregator lost: {reason}", now, now_ns)

    def settle(self, now: float, now_ns: int, venues: Iterable[str]) -> None:
        """Drop views that nobody came back for; say that an aggregator owes an answer."""
        if self._relists_until is not None and self._relists_until <= now:
            self._relists_until = None
            self._upstream.unsubscribe(RELIST_PREFIX)
        for key in [key for key, at in self._unread.items() if at <= now]:
            del self._unread[key]
            del self._entries[key]
            self._unheard.pop(key, None)
            self._upstream.unsubscribe(view_topic(*key))
        for key, entry in self._entries.items():
            if entry.left_at is not None and now >= entry.left_at + HOLD_S:
                _succeed(entry, key, now, now_ns)
        for key in [key for key, at in self._unheard.items() if at <= now]:
            del self._unheard[key]
            self._entries[key].show(key, _absent(key, b"", venues, "no aggregator answers", now_ns))

    def _void(self, publisher: str, key: ViewKey, reason: str, now: float, now_ns: int) -> None:
        entry = self._entries[key]
        lost = entry.said.pop(publisher, None)
        if lost is None:
            return
        if not entry.said:
            entry.believed, entry.left_at, entry.withheld = None, None, False
            entry.show(key, _absent(key, lost.body, (), reason, now_ns))
        elif entry.believed is lost:
            _choose(entry, key, now)

    def _ask(self, key: ViewKey) -> _Entry:
        entry = self._entries[key] = _Entry()
        self._upstream.subscribe(view_topic(*key))
        return entry


def _choose(entry: _Entry, key: ViewKey, now: float) -> None:
    """Show what is to be believed of what several aggregators say."""
    best, believed = entry.best(), entry.believed
    if believed is None or not best.live or not believed.live:
        if best is not believed:
            entry.believe(key, best)
        return
    is_there = any(said is believed for said in entry.said.values())
    better = _Said.is_ahead_of if is_there else _Said.covers
    successor = entry.successor(believed, better)
    if successor is not None:
        entry.believe(key, successor)
    elif not is_there:
        entry.left_at = now if entry.left_at is None else entry.left_at


def _succeed(entry: _Entry, key: ViewKey, now: float, now_ns: int) -> None:
    """Show who takes the place of a speaker that is gone, or nobody while that would go back."""
    best, believed = entry.best(), entry.believed
    assert believed is not None
    assert entry.left_at is not None
    if now >= entry.left_at + RECOUNT_S or not best.goes_back_from(believed):
        entry.believe(key, best)
    elif not entry.withheld:
        entry.withheld = True
        reason = "what the other aggregator sends is older than what was shown"
        entry.show(key, _absent(key, believed.body, (), reason, now_ns))


def _absent(
    key: ViewKey, last: bytes, venues: Iterable[str], reason: str, now_ns: int
) -> SharedView:
    body = absent_view(
        key.kind, key.instrument, last=last, venues=venues, reason=reason, now_ns=now_ns
    )
    return SharedView(key.kind, body, MAX_DEPTH, now_ns, live=False, from_aggregator=False)
