"""One stream of one book, and the clients that follow it: a frame is made once for all of them.

Where a venue names or numbers frames client by client, each client's are made of that frame before
faults befall them: the number of a frame that is left out is missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from venue_simulator.book import BookState, lie
from venue_simulator.faults import FaultKind
from venue_simulator.trading.orders import OrderEvent
from venue_simulator.venue import Action, Address, BookStream, FakeVenue, Frame

__all__ = ["Broadcast", "Follower", "Member"]


class Follower(Protocol):
    """A client as a feed sees it."""

    def push(self, frame: Frame) -> None:
        """Send a frame, never wait."""
        ...


class Member(Follower, Protocol):
    """A connected client as its exchange sees it."""

    def announce_close(self) -> None:
        """Tell it, in the venue's own way, that its connection will be closed."""
        ...

    def announce_trading(self, symbol: str | None) -> None:
        """Tell it, in the venue's own way, whether a market, or all, can be traded."""
        ...

    def describe_order(self, event: OrderEvent) -> Sequence[Action]:
        """Return what tells it of an event of an order, nothing where it does not follow it."""
        ...

    def perform(self, actions: Iterable[Action]) -> None: ...

    def skip_number(self) -> None:
        """Leave out a number of its session, where the venue numbers what it sends to each."""
        ...

    def hang_up(self, code: int, reason: str) -> None:
        """Close its connection properly."""
        ...

    def reset(self) -> None:
        """Cut its connection with a TCP reset."""
        ...


class Broadcast:
    """Sends changes to those who know the book, and the whole book to those who wait for it."""

    def __init__(self, venue: FakeVenue, stream: BookStream, state: BookState) -> None:
        self.stream = stream
        self.frames_sent = 0
        self.is_put_off = False
        """True while a tick of its interval is awaited, which sends the newest state then."""
        self._venue = venue
        self._state = state
        """The state that its followers have, once all is sent."""
        self._passed: tuple[dict[str, str], dict[str, str]] = ({}, {})
        """Prices of bids and asks of states that were held back since, each with no amount."""
        self._followers: set[Follower] = set()
        self._waiting: set[Follower] = set()
        self._addresses: dict[Follower, Address] = {}
        """Of those who get frames of their own."""
        self._held_back: dict[Follower | None, Sequence[Frame]] = {}
        """Frames of their own by follower; None: of all the others."""

    @property
    def deserted(self) -> bool:
        return not (self._followers or self._waiting)

    @property
    def is_awaited(self) -> bool:
        """True while somebody waits for the whole book."""
        return bool(self._waiting)

    def follow(self, follower: Follower, address: Address | None = None) -> None:
        """Send it each change from now on."""
        self._admit(follower, address, self._followers)

    def wait(self, follower: Follower, address: Address | None = None) -> None:
        """Send it the whole book when the next state is published, and each change after that."""
        self._admit(follower, address, self._waiting)

    def leave(self, follower: Follower) -> None:
        self._followers.discard(follower)
        self._waiting.discard(follower)
        self._addresses.pop(follower, None)
        self._held_back.pop(follower, None)

    def send_whole(self, follower: Follower) -> None:
        """Send one follower the book as the others know it."""
        first = self._venue.first_frame(self.stream, self._state)
        if first is not None:
            address = self._addresses.get(follower)
            self._send([first] if address is None else address(first), [follower])

    def hold(self, state: BookState) -> None:
        """Leave out `state`, whose levels the next change names too: it spans its number."""
        for levels, passed in zip((state.bids, state.asks), self._passed, strict=True):
            passed.update((price, "0") for price, _ in levels)

    def publish(self, state: BookState, kinds: Collection[FaultKind]) -> bool:
        """Bring everybody to `state`; return whether there was a frame for `kinds` to befall."""
        if self.stream.best_only:
            kinds = ()
        frame = None
        if state is not self._state and self._followers:
            shown = lie(state) if FaultKind.LYING in kinds else state
            frame = self._venue.frame(self.stream, self._spanned(), shown)
        self._state, self._passed = state, ({}, {})
        if frame is not None:
            if FaultKind.BAD_CHECKSUM in kinds and isinstance(frame, str):
                frame = self._venue.spoil_checksum(frame)
            shared = self._followers - self._addresses.keys()
            self._send(self._spoil(None, [frame], kinds), shared)
            for follower in self._followers - shared:
                own = self._addresses[follower](frame)
                self._send(self._spoil(follower, own, kinds), [follower])
        while self._waiting:
            follower = self._waiting.pop()
            self.send_whole(follower)
            self._followers.add(follower)
        return frame is not None

    def _spanned(self) -> BookState:
        """Return what followers know, and behind it the prices that came meanwhile."""
        known = self._state
        if not any(self._passed):
            return known
        bids, asks = (
            (*levels, *(level for level in passed.items() if level[0] not in dict(levels)))
            for levels, passed in zip((known.bids, known.asks), self._passed, strict=True)
        )
        return replace(known, bids=bids, asks=asks)

    def _admit(self, follower: Follower, address: Address | None, to: set[Follower]) -> None:
        to.add(follower)
        if address is not None:
            self._addresses[follower] = address

    def _send(self, frames: Iterable[Frame], followers: Collection[Follower]) -> None:
        for frame in frames:
            for follower in followers:
                follower.push(frame)
            self.frames_sent += len(followers)

    def _spoil(
        self, whose: Follower | None, frames: Sequence[Frame], kinds: Collection[FaultKind]
    ) -> Sequence[Frame]:
        """Return what is sent in place of `frames`, in order."""
        late = self._held_back.pop(whose, None)
        if FaultKind.MALFORMED in kinds and frames:
            frames = [frames[0][: len(frames[0]) // 2], *frames[1:]]
        if FaultKind.GAP in kinds:
            frames = ()
        elif FaultKind.DUPLICATE in kinds:
            frames = [frame for frame in frames for _ in range(2)]
        elif FaultKind.REORDER in kinds and late is None:
            self._held_back[whose] = frames
            frames = ()
        return frames if late is None else [*frames, *late]
