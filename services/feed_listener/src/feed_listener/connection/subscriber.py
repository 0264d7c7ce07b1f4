"""The subscriptions of one connection: requests and answers. Pure: time is a parameter.

A symbol goes through these stages; one request is under way at a time, because some venues answer
errors without saying which request they mean:

    QUEUED ─ask─▶ ASKED ─ack─▶ WAITING ─book─▶ FLOWING
      ▲  ▲          │ refused      │ no book      │ resync, unwant
      │  │          ▼              ▼              ▼
      │  └──────  REFUSED ◀──    LEAVING ◀────────┘
      └───── again ───────────────┘ └── gone

An acknowledgement that stays out, a first book that stays out where the venue answers with one, and
a broken book all end the same way: the symbol is left and asked for anew, patiently where it
happens again and again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final

import msgspec
from dragonfly_common.pace import TokenBucket
from dragonfly_venues.events import Acked, RequestRefused
from dragonfly_venues.venue import Ask, Venue

__all__ = ["Turn", "VenueSubscriber"]

REFUSED_RETRY_S: Final = 60.0
"""A refusal is asked about again: the venue may have changed its mind."""
LEAVE_RETRY_S: Final = 60.0
"""An unsubscription without an answer is sent again, seldom: others wait meanwhile."""
FIRST_PATIENCE_S: Final = 0.25
LONGEST_PATIENCE_S: Final = 5.0
CALM_S: Final = 20.0
"""A symbol whole for this long is asked for without patience when it breaks."""


class Turn(msgspec.Struct, frozen=True):
    """The frames to send at this moment, and the symbols whose answers stayed out."""

    frames: Sequence[str] = ()
    """To send, in order."""
    unacknowledged: Sequence[str] = ()
    """Symbols whose acknowledgement stayed out."""
    bookless: Sequence[str] = ()
    """Symbols whose first book stayed out."""


class _Stage(Enum):
    QUEUED = auto()
    ASKED = auto()
    WAITING = auto()
    FLOWING = auto()
    REFUSED = auto()
    LEAVING = auto()


_TO_ASK: Final = frozenset({_Stage.QUEUED, _Stage.REFUSED, _Stage.LEAVING})


class _Symbol:
    """Where one symbol stands. `wanted` tells whether it is asked for again after LEAVING."""

    def __init__(self, now: float) -> None:
        self.stage = _Stage.QUEUED
        self.wanted = True
        self.alone = False
        self.not_before = now
        self.leave_after = now
        self.since = now
        self.seed_at = math.inf
        self.patience_s = 0.0
        self.handle: int | None = None
        """By which the venue knows its subscription."""

    def enter(self, stage: _Stage, now: float) -> None:
        self.stage = stage
        self.since = now

    def lose_patience(self, now: float) -> None:
        """Put the next attempt off, longer each time that the last one did not hold."""
        if self.stage is _Stage.FLOWING and now - self.since >= CALM_S:
            self.patience_s = 0.0
        self.not_before = now + self.patience_s
        self.patience_s = min(LONGEST_PATIENCE_S, self.patience_s * 2 or FIRST_PATIENCE_S)


class _Request:
    """The one request that waits for its acknowledgement."""

    def __init__(self, request_id: int, symbols: Iterable[str], *, subscribes: bool) -> None:
        self.id = request_id
        self.symbols = set(symbols)
        self.subscribes = subscribes
        self.deadline = math.inf


class VenueSubscriber:
    """Keeps the subscriptions of a connection equal to the symbols that are wanted of it."""

    def __init__(self, venue: Venue, depth: int, *, bbo: bool = False) -> None:
        """`bbo` asks for best prices beside the books, where the venue offers them."""
        self._venue = venue
        self._depth = depth
        self._bbo = bbo
        timeout_s = venue.liveness.first_book_timeout_s
        self._first_book_timeout_s = math.inf if timeout_s is None else timeout_s
        self._seed_request = venue.seed_request
        self._pace = TokenBucket(venue.limits.requests_per_second)
        hourly = venue.limits.subscriptions_per_hour
        # Half may come at once and the other half over the hour: then no hour has more.
        self._hourly = TokenBucket(
            math.inf if hourly is None else hourly / 7200.0, (hourly or 2) // 2
        )
        self._symbols: dict[str, _Symbol] = {}
        self._request: _Request | None = None
        self._frames: deque[str] = deque()
        self._last_id = 0

    @property
    def wanted(self) -> list[str]:
        return [name for name, symbol in self._symbols.items() if symbol.wanted]

    @property
    def settled(self) -> bool:
        """Every wanted symbol has its book, or the venue refused it."""
        done = {_Stage.FLOWING, _Stage.REFUSED}
        return all(s.stage in done for s in self._symbols.values() if s.wanted)

    def want(self, names: Iterable[str], now: float) -> None:
        for name in names:
            symbol = self._symbols.get(name)
            if symbol is None:
                self._symbols[name] = _Symbol(now)
            else:
                symbol.wanted = True
                symbol.leave_after = now

    def unwant(self, names: Iterable[str], now: float) -> None:
        for name in names:
            symbol = self._symbols.get(name)
            if symbol is None:
                continue
            symbol.wanted = False
            if symbol.stage in {_Stage.QUEUED, _Stage.REFUSED}:
                del self._symbols[name]
            elif symbol.stage is not _Stage.LEAVING:
                symbol.enter(_Stage.LEAVING, now)

    def ask_again(self, names: Iterable[str], now: float) -> None:
        """Ask for those that were refused as soon as may be: the reason may be gone."""
        for name in names:
            if self._is(name, _Stage.REFUSED):
                self._symbols[name].not_before = now

    def resync(self, name: str, now: float) -> bool:
        """Leave and ask again; return False where that is under way already."""
        symbol = self._symbols.get(name)
        if symbol is None or symbol.stage not in {_Stage.WAITING, _Stage.FLOWING}:
            return False
        symbol.lose_patience(now)
        symbol.enter(_Stage.LEAVING, now)
        return True

    def booked(self, name: str, now: float) -> bool:
        """Take note that a book of `name` came; return True when it is the first."""
        symbol = self._symbols.get(name)
        if symbol is None or symbol.stage in {_Stage.FLOWING, _Stage.LEAVING, _Stage.QUEUED}:
            return False
        symbol.enter(_Stage.FLOWING, now)
        return True

    def waiting(self) -> dict[str, float]:
        """Return since when each symbol waits for a first book that the venue sends none of.

        It counts from its acknowledgement, and comes with the next change, or by other ways.
        """
        if self._first_book_timeout_s < math.inf:
            return {}
        return {
            name: symbol.since
            for name, symbol in self._symbols.items()
            if symbol.stage is _Stage.WAITING
        }

    def waits(self, name: str, since: float) -> bool:
        """Say whether `name` has waited for its first book since `since`, without a break."""
        return self._is(name, _Stage.WAITING) and self._symbols[name].since == since

    def acked(self, ack: Acked, now: float) -> list[str]:
        """Take an acknowledgement; return the symbols that now wait for their first book."""
        request = self._request
        if ack.handle is not None:
            for name in self._symbols.keys() & set(ack.symbols):
                self._symbols[name].handle = ack.handle
        if request is None:
            return []
        if ack.complete:
            listed = request.symbols & set(ack.symbols)
            answered = listed if request.subscribes else request.symbols - listed
        elif ack.symbols or ack.others:
            answered = request.symbols & set(ack.symbols)
            if ack.subscribed is not request.subscribes:
                return []
        else:
            answered = set(request.symbols) if ack.request_id in {None, request.id} else set()
        self._answer(request, answered)
        if not request.subscribes:
            for name in answered:
                self._leave(name, now)
            return []
        waiting = [name for name in sorted(answered) if self._is(name, _Stage.ASKED)]
        for name in waiting:
            self._symbols[name].enter(_Stage.WAITING, now)
            if self._seed_request is not None:
                self._symbols[name].seed_at = now + self._seed_request.after_s
        return waiting

    def left_of(self, request_id: int | None) -> tuple[str, ...]:
        """Return the symbols of a request that have no answer yet."""
        request = self._request
        named = request is not None and request.id == request_id
        return tuple(sorted(request.symbols)) if request is not None and named else ()

    def refused(self, refusal: RequestRefused, now: float) -> list[str]:
        """Take a refusal; return the symbols that the venue will not serve.

        A batch refused as a whole is asked again one by one, so that the others do not suffer.
        """
        request = self._request
        if request is None or refusal.request_id not in {None, request.id}:
            return []
        answered = request.symbols & set(refusal.symbols or request.symbols)
        unclear = len(answered) > 1 and not refusal.symbols
        self._answer(request, answered)
        if not request.subscribes:
            # It does not know the subscription: then it is gone, which was the wish.
            for name in answered:
                self._leave(name, now)
            return []
        asked = [s for s in sorted(answered) if self._is(s, _Stage.ASKED)]
        for name in asked:
            symbol = self._symbols[name]
            symbol.alone = unclear
            symbol.enter(_Stage.QUEUED if unclear else _Stage.REFUSED, now)
            symbol.not_before = now if unclear else now + REFUSED_RETRY_S
        return [] if unclear else asked

    def spend(self, now: float) -> None:
        """Count a frame that the session sends by itself (a ping) against the venue's limit."""
        self._pace.take(now)

    def probe(self) -> str | None:
        """Return the venue's own request for a sign of life, or None where it has none."""
        return None if self._venue.probe is None else self._venue.probe(self._next_id())

    def keepalive(self) -> str | None:
        """Return the frame that a venue wants by the clock which wants one, if it has one."""
        write = self._venue.keepalive or self._venue.probe
        return None if write is None else write(self._next_id())

    def turn(self, now: float) -> Turn:
        """Return what is to be done now. Call it again after `due_in` seconds, or after news."""
        unacknowledged = self._expire_request(now)
        bookless = self._expire_books(now)
        frames = []
        while self._pace.wait_s(now) <= 0:
            if self._frames or self._ask(now):
                frames.append(self._frames.popleft())
                if not self._frames and self._request is not None:
                    self._said(self._request, now)
            elif (seed := self._ask_seed(now)) is not None:
                frames.append(seed)
            else:
                break
            self._pace.take(now)
        return Turn(frames, unacknowledged, bookless)

    def due_in(self, now: float) -> float:
        """Return seconds until `turn` has something to do, if nothing else happens."""
        if self._frames:
            return self._pace.wait_s(now)
        due = self._request.deadline if self._request else math.inf
        for symbol in self._symbols.values():
            if symbol.stage is _Stage.WAITING:
                seed_at = max(symbol.seed_at, now + self._pace.wait_s(now))
                due = min(due, seed_at, symbol.since + self._first_book_timeout_s)
            elif self._request is None and symbol.stage in _TO_ASK:
                leaving = symbol.stage is _Stage.LEAVING
                at = symbol.leave_after if leaving else symbol.not_before
                wait_s = max(self._pace.wait_s(now), self._hourly.wait_s(now))
                due = min(due, max(at, now + wait_s))
        return max(0.0, due - now)

    def _ask(self, now: float) -> bool:
        """Begin the next request, if there is one and none is under way."""
        if self._request is not None or self._hourly.wait_s(now) > 0.0:
            return False
        if self._venue.ends_by_handle:
            self._leave_unnamed(now)
        return self._begin(self._going(now), subscribes=False, now=now) or self._begin(
            self._joining(now), subscribes=True, now=now
        )

    def _said(self, request: _Request, now: float) -> None:
        """Await the answer to a request that is sent by now, if there is to be one."""
        request.deadline = now + self._venue.liveness.ack_timeout_s
        if not request.subscribes and not self._venue.ends_answered:
            self._request = None
            for name in request.symbols:
                self._leave(name, now)

    def _ask_seed(self, now: float) -> str | None:
        """Return a request for the whole book of who has been due for longest, if one is."""
        source = self._seed_request
        if source is None:
            return None
        due = [
            (symbol.seed_at, name)
            for name, symbol in self._symbols.items()
            if symbol.stage is _Stage.WAITING and symbol.seed_at <= now
        ]
        if not due:
            return None
        _, name = min(due)
        self._symbols[name].seed_at = now + source.after_s
        return source.write(name, self._next_id())

    def _going(self, now: float) -> list[str]:
        return [
            name
            for name, symbol in self._symbols.items()
            if symbol.stage is _Stage.LEAVING and now >= symbol.leave_after
        ]

    def _joining(self, now: float) -> list[str]:
        due = [
            name
            for name, symbol in self._symbols.items()
            if symbol.stage in {_Stage.QUEUED, _Stage.REFUSED} and now >= symbol.not_before
        ]
        alone = next((name for name in due if self._symbols[name].alone), None)
        return [alone] if alone else due

    def _begin(self, names: Sequence[str], *, subscribes: bool, now: float) -> bool:
        batch = names[: self._venue.limits.symbols_per_request]
        if not batch:
            return False
        ask = Ask(
            symbols=batch,
            request_id=self._next_id(),
            depth=self._depth,
            subscribe=subscribes,
            handles={
                name: handle for name in batch if (handle := self._symbols[name].handle) is not None
            },
            bbo=self._bbo,
        )
        for frame in self._venue.requests(ask):
            self._frames.append(frame)
            self._hourly.take(now)
        self._request = _Request(ask.request_id, batch, subscribes=subscribes)
        if subscribes:
            for name in batch:
                self._symbols[name].stage = _Stage.ASKED
        return True

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _answer(self, request: _Request, answered: set[str]) -> None:
        request.symbols -= answered
        if not request.symbols:
            self._request = None

    def _leave(self, name: str, now: float) -> None:
        symbol = self._symbols.get(name)
        if symbol is None or symbol.stage is not _Stage.LEAVING:
            return
        symbol.handle = None
        if symbol.wanted:
            symbol.enter(_Stage.QUEUED, now)
        else:
            del self._symbols[name]

    def _leave_unnamed(self, now: float) -> None:
        """Leave what was never acknowledged: there is nothing to end it by."""
        for name in self._going(now):
            if self._symbols[name].handle is None:
                self._leave(name, now)

    def _doubt_leaving(self, name: str, now: float) -> None:
        if self._is(name, _Stage.LEAVING) and not self._symbols[name].wanted:
            self._symbols[name].leave_after = now + LEAVE_RETRY_S
        else:
            self._leave(name, now)

    def _expire_request(self, now: float) -> list[str]:
        request = self._request
        if request is None or now < request.deadline:
            return []
        self._request = None
        if not request.subscribes:
            # Nothing else may wait for a venue that says nothing.
            for name in sorted(request.symbols):
                self._doubt_leaving(name, now)
            return []
        late = [n for n in sorted(request.symbols) if self._is(n, _Stage.ASKED)]
        for name in late:
            # The venue may have subscribed it and only not said so; it refuses a second time.
            self._symbols[name].enter(_Stage.LEAVING, now)
        return late

    def _expire_books(self, now: float) -> list[str]:
        limit = now - self._first_book_timeout_s
        late = [
            name
            for name, symbol in self._symbols.items()
            if symbol.stage is _Stage.WAITING and symbol.since <= limit
        ]
        for name in late:
            self._symbols[name].enter(_Stage.LEAVING, now)
        return late

    def _is(self, name: str, stage: _Stage) -> bool:
        symbol = self._symbols.get(name)
        return symbol is not None and symbol.stage is stage
