"""Which bots read which views, and what each view last was. Pure: time and the bus are parameters.

Views come in as bytes and go out into mailboxes; interest in them goes upstream once, however many
bots share it, and lingers after the last one left.

The messages of one aggregator are shown at a time. Another aggregator is chosen when its live
message is ahead: no venue in it is behind what is shown, nor behind where it was when it left what
is shown, and some venue is further. So no book goes back while an instrument moves from one
aggregator to another. When the chosen aggregator is gone,
its last message stands until another one has caught up, for a moment at most
(`dragonfly_common.arbitration`). After that a placeholder is shown until no other is behind any
more, and also when all aggregators are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, Protocol

from dragonfly_common.arbitration import RECOUNT_S, Stage, Succession
from dragonfly_common.messages import EncodedView
from dragonfly_common.topics import RELIST_PREFIX, ViewKind, view_topic
from dragonfly_common.types import MAX_DEPTH

from dragonfly_views.mailbox import Mailbox
from dragonfly_views.placeholder import live_sequences, placeholder
from dragonfly_views.wire import SharedView

__all__ = ["Reader", "Relay", "SupportsSubscribe", "ViewKey"]

UNHEARD_LIMIT_S: Final = 1.0
"""How long a view may be unanswered before a placeholder is shown."""
RELIST_S: Final = 90.0
"""How long venues' lists are read again after a bot asked for what none lists: longer than the
minute that a listener leaves between two looks."""


class ViewKey(NamedTuple):
    kind: ViewKind
    instrument: str


Reader = Mailbox[ViewKey, SharedView]


class SupportsSubscribe(Protocol):
    """Where views are asked for: the bus's `Subscriber`."""

    def subscribe(self, prefix: str) -> None: ...
    def unsubscribe(self, prefix: str) -> None: ...


class _Message:
    """The last message of one aggregator about a view."""

    def __init__(self, kind: ViewKind, view: EncodedView, epoch: int) -> None:
        self.live = view.live
        self.epoch = epoch
        self.body = view.body
        self.state = SharedView(kind, view.body, view.depth, view.ts_agg, live=view.live)
        self._kind = kind

    @cached_property
    def sequences(self) -> dict[tuple[str, str, str], int]:
        """How far each live venue is: decoded where another aggregator has the view too."""
        return live_sequences(self._kind, self.body)

    def covers(self, other: _Message) -> bool:
        """Say whether no venue here is behind where it is in `other`."""
        return all(self.sequences.get(venue, -1) >= at for venue, at in other.sequences.items())

    def goes_back_from(self, other: _Message) -> bool:
        """Say whether a venue is live in both, and further in `other`."""
        return any(at < other.sequences.get(venue, at) for venue, at in self.sequences.items())

    def is_ahead_of(self, other: _Message) -> bool:
        """Say whether no venue here is behind `other`, and some venue is further."""
        return self.covers(other) and self.sequences != other.sequences


@dataclass
class _Entry:
    """One view: what each aggregator says of it, which is chosen, and who reads it."""

    messages: dict[str, _Message] = field(default_factory=dict)
    """By aggregator."""
    chosen: _Message | None = None
    """The message that readers are shown, unless that is a placeholder."""
    succession: Succession = field(default_factory=Succession)
    """Begun while the aggregator of `chosen` is gone."""
    withheld: bool = False
    """True while a placeholder is shown because every other aggregator is behind `chosen`."""
    left: dict[tuple[str, str, str], tuple[int, float]] = field(default_factory=dict)
    """Of each venue that has left what is shown: how far it was, and until when less goes back."""
    shown: SharedView | None = None
    readers: set[Reader] = field(default_factory=set)

    def show(self, key: ViewKey, state: SharedView) -> None:
        self.shown = state
        for reader in self.readers:
            reader.put(key, state)

    def choose(self, key: ViewKey, message: _Message, now: float) -> None:
        """Show an aggregator's message."""
        if self.left or len(self.messages) > 1:
            self.note_left(message, now)
        self.chosen, self.succession.left_at, self.withheld = message, None, False
        self.show(key, message.state)

    def note_left(self, message: _Message, now: float) -> None:
        """Note how far each venue was that is in `chosen`, and not in `message`."""
        if self.chosen is None or len(self.messages) == 1:
            self.left = {}
        elif self.left or self.chosen.sequences.keys() - message.sequences.keys():
            until = now + RECOUNT_S
            self.left |= {venue: (at, until) for venue, at in self.chosen.sequences.items()}
            for venue in message.sequences:
                self.left.pop(venue, None)

    def goes_back(self, message: _Message, now: float) -> bool:
        """Say whether a venue would come back behind where it was when it left."""
        return any(
            message.sequences.get(venue, at) < at and now < until
            for venue, (at, until) in self.left.items()
        )

    def successor(
        self, of: _Message, better: Callable[[_Message, _Message], bool], now: float
    ) -> _Message | None:
        """Return another live message that is `better` and does not go back, if there is one."""
        others = (one for one in self.messages.values() if one.live and one is not of)
        return next(
            (one for one in others if better(one, of) and not self.goes_back(one, now)), None
        )

    def best(self, now: float) -> _Message:
        """Return the live message of most venues, else that of the newest aggregator."""
        return max(
            self.messages.values(),
            key=lambda one: (
                not self.goes_back(one, now),
                one.live,
                len(one.sequences),
                one.epoch,
            ),
        )


class Relay:
    """All views of one gateway."""

    def __init__(
        self, upstream: SupportsSubscribe, linger_s: float, always: Iterable[ViewKey] = ()
    ) -> None:
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

    def on_view(
        self, publisher: str, epoch: int, key: ViewKey, view: EncodedView, now: float
    ) -> None:
        """Take an aggregator's view, and show it unless a better one is being shown."""
        entry = self._entries.get(key)
        if entry is None:
            return
        self._unheard.pop(key, None)
        before = entry.messages.get(publisher)
        newest = entry.messages[publisher] = _Message(key.kind, view, epoch)
        alone = len(entry.messages) == 1
        if entry.succession.left_at is None and (alone or (newest.live and before is entry.chosen)):
            better = None
            if not alone:
                # A venue that only the chosen aggregator has lost stays, where another one has it.
                entry.note_left(newest, now)
                better = entry.successor(newest, _Message.is_ahead_of, now)
            entry.choose(key, better or newest, now)
        else:
            _arbitrate(entry, key, now)

    def on_gone(self, publisher: str, key: ViewKey, now: float, now_ns: int) -> None:
        """Void an aggregator's message of a view, which another one computes by now."""
        if key in self._entries:
            self._void(publisher, key, "aggregator left it", now, now_ns)

    def on_lost(self, publisher: str, reason: str, now: float, now_ns: int) -> None:
        """Void all messages of an aggregator, and show what takes their place."""
        for key in self._entries:
            self._void(publisher, key, f"aggregator lost: {reason}", now, now_ns)

    def evaluate(self, now: float, now_ns: int, venues: Iterable[str]) -> None:
        """Do what is due by the time: drop views that nobody reads, show placeholders."""
        if self._relists_until is not None and self._relists_until <= now:
            self._relists_until = None
            self._upstream.unsubscribe(RELIST_PREFIX)
        for key in [key for key, at in self._unread.items() if at <= now]:
            del self._unread[key]
            del self._entries[key]
            self._unheard.pop(key, None)
            self._upstream.unsubscribe(view_topic(*key))
        for key, entry in self._entries.items():
            if entry.succession.stage(now) in {Stage.WITHHELD, Stage.RECOUNTED}:
                _replace_chosen(entry, key, now, now_ns)
        for key in [key for key, at in self._unheard.items() if at <= now]:
            del self._unheard[key]
            self._entries[key].show(
                key, _placeholder(key, b"", venues, "no aggregator answers", now_ns)
            )

    def _void(self, publisher: str, key: ViewKey, reason: str, now: float, now_ns: int) -> None:
        entry = self._entries[key]
        lost = entry.messages.pop(publisher, None)
        if lost is None:
            return
        if not entry.messages:
            entry.chosen, entry.succession.left_at, entry.withheld = None, None, False
            entry.show(key, _placeholder(key, lost.body, (), reason, now_ns))
        elif entry.chosen is lost:
            _arbitrate(entry, key, now)

    def _ask(self, key: ViewKey) -> _Entry:
        entry = self._entries[key] = _Entry()
        self._upstream.subscribe(view_topic(*key))
        return entry


def _arbitrate(entry: _Entry, key: ViewKey, now: float) -> None:
    """Choose among the messages of several aggregators, and show the chosen one."""
    best, chosen = entry.best(now), entry.chosen
    if chosen is None or not best.live or not chosen.live:
        if best is not chosen:
            entry.choose(key, best, now)
        return
    is_there = any(message is chosen for message in entry.messages.values())
    better = _Message.is_ahead_of if is_there else _Message.covers
    successor = entry.successor(chosen, better, now)
    if successor is not None:
        entry.choose(key, successor, now)
    elif not is_there:
        entry.succession.begin(now)


def _replace_chosen(entry: _Entry, key: ViewKey, now: float, now_ns: int) -> None:
    """Show what takes the place of an aggregator that is gone, a placeholder if that goes back."""
    best, chosen = entry.best(now), entry.chosen
    assert chosen is not None
    is_recounted = entry.succession.stage(now) is Stage.RECOUNTED
    if is_recounted or not best.goes_back_from(chosen):
        entry.choose(key, best, now)
    elif not entry.withheld:
        entry.withheld = True
        reason = "what the other aggregator sends is older than what was shown"
        entry.show(key, _placeholder(key, chosen.body, (), reason, now_ns))


def _placeholder(
    key: ViewKey, last: bytes, venues: Iterable[str], reason: str, now_ns: int
) -> SharedView:
    body = placeholder(
        key.kind, key.instrument, last=last, venues=venues, reason=reason, now_ns=now_ns
    )
    return SharedView(key.kind, body, MAX_DEPTH, now_ns, live=False, from_aggregator=False)
