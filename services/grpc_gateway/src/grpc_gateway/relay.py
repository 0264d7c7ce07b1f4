"""Which bots read which views, and what each view last was. Pure: time and the bus are parameters.

Views come in as bytes and go out into mailboxes; interest in them goes upstream once, however many
bots share it, and lingers after the last one left. One aggregator speaks for a view at a time: a
live one, and of those the one that started last; when it is lost, the next best; when all are lost,
the gateway itself says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from dragonfly_common.messages import View
from dragonfly_common.topics import ViewKind, view_topic
from dragonfly_common.types import MAX_DEPTH

from grpc_gateway.absence import absent_view
from grpc_gateway.mailbox import Mailbox
from grpc_gateway.wire import SharedView

__all__ = ["Reader", "Relay", "Upstream", "ViewKey"]

UNHEARD_LIMIT_S: Final = 1.0
"""A view that no aggregator sent for so long after it was asked for is told to be absent."""


class ViewKey(NamedTuple):
    kind: ViewKind
    instrument: str


Reader = Mailbox[ViewKey, SharedView]


class Upstream(Protocol):
    """Where views are asked for: a `Subscriber`."""

    def subscribe(self, prefix: str) -> None: ...
    def unsubscribe(self, prefix: str) -> None: ...


class _Said(NamedTuple):
    """What one aggregator last said of a view; the greater one is shown."""

    live: bool
    epoch: int
    publisher: str
    state: SharedView
    body: bytes


@dataclass
class _Entry:
    said: dict[str, _Said] = field(default_factory=dict)
    shown: SharedView | None = None
    readers: set[Reader] = field(default_factory=set)

    def show(self, key: ViewKey, state: SharedView) -> None:
        self.shown = state
        for reader in self.readers:
            reader.put(key, state)

    def best(self) -> _Said:
        return max(self.said.values(), key=lambda said: said[:3])


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

    def leave(self, reader: Reader, key: ViewKey, now: float) -> None:
        """End a `join`; what waits in `reader` of that view is gone."""
        entry = self._entries.get(key)
        if entry is None or reader not in entry.readers:
            return
        entry.readers.discard(reader)
        reader.drop(key)
        if not entry.readers and key not in self._always:
            self._unread[key] = now + self._linger_s

    def hear(self, publisher: str, epoch: int, key: ViewKey, view: View) -> None:
        """Take an aggregator's view, and show it unless a better one is being shown."""
        entry = self._entries.get(key)
        if entry is None:
            return
        self._unheard.pop(key, None)
        state = SharedView(view.body, view.depth)
        entry.said[publisher] = _Said(view.live, epoch, publisher, state, view.body)
        best = entry.best()
        if best.state is not entry.shown:
            entry.show(key, best.state)

    def lose(self, publisher: str, reason: str, now_ns: int) -> None:
        """Void all that an aggregator said, and show what takes its place."""
        for key, entry in self._entries.items():
            lost = entry.said.pop(publisher, None)
            if lost is None:
                continue
            if not entry.said:
                entry.show(key, _absent(key, lost.body, (), f"aggregator lost: {reason}", now_ns))
            elif entry.shown is lost.state:
                entry.show(key, entry.best().state)

    def settle(self, now: float, now_ns: int, venues: Iterable[str]) -> None:
        """Drop views that nobody came back for; say that an aggregator owes an answer."""
        for key in [key for key, at in self._unread.items() if at <= now]:
            del self._unread[key]
            del self._entries[key]
            self._unheard.pop(key, None)
            self._upstream.unsubscribe(view_topic(*key))
        for key in [key for key, at in self._unheard.items() if at <= now]:
            del self._unheard[key]
            self._entries[key].show(key, _absent(key, b"", venues, "no aggregator answers", now_ns))

    def _ask(self, key: ViewKey) -> _Entry:
        entry = self._entries[key] = _Entry()
        self._upstream.subscribe(view_topic(*key))
        return entry


def _absent(
    key: ViewKey, last: bytes, venues: Iterable[str], reason: str, now_ns: int
) -> SharedView:
    body = absent_view(
        key.kind, key.instrument, last=last, venues=venues, reason=reason, now_ns=now_ns
    )
    return SharedView(body, MAX_DEPTH, from_aggregator=False)
