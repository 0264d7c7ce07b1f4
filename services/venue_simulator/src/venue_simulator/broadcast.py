"""One stream of one book, and the clients that follow it: a frame is made once for all of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from venue_simulator.book import BookState, lie
from venue_simulator.faults import FaultKind
from venue_simulator.venue import FakeVenue, Frame, Stream

__all__ = ["Broadcast", "Follower"]


class Follower(Protocol):
    """A client as a feed sees it."""

    def push(self, frame: Frame) -> None:
        """Send a frame, never wait."""
        ...


class Broadcast:
    """Sends changes to those who know the book, and the whole book to those who wait for it."""

    def __init__(self, venue: FakeVenue, stream: Stream, state: BookState) -> None:
        self.stream = stream
        self.frames_sent = 0
        self._venue = venue
        self._state = state
        """What its followers know, once all is sent that was to be sent."""
        self._followers: set[Follower] = set()
        self._waiting: set[Follower] = set()
        self._held_back: Frame | None = None

    @property
    def deserted(self) -> bool:
        return not (self._followers or self._waiting)

    def follow(self, follower: Follower) -> None:
        """Send it each change from now on."""
        self._followers.add(follower)

    def wait(self, follower: Follower) -> None:
        """Send it the whole book when the next state is published, and each change after that."""
        self._waiting.add(follower)

    def leave(self, follower: Follower) -> None:
        self._followers.discard(follower)
        self._waiting.discard(follower)

    def send_whole(self, follower: Follower) -> None:
        """Send one follower the book as the others know it."""
        first = self._venue.first_frame(self.stream, self._state)
        if first is not None:
            follower.push(first)
            self.frames_sent += 1

    def publish(self, state: BookState, kinds: Collection[FaultKind]) -> bool:
        """Bring everybody to `state`; return whether there was a frame for `kinds` to befall."""
        if self.stream.best_only:
            kinds = ()
        frame = None
        if state is not self._state and self._followers:
            shown = lie(state) if FaultKind.LYING in kinds else state
            frame = self._venue.frame(self.stream, self._state, shown)
        self._state = state
        if frame is not None:
            for spoilt in self._spoil(frame, kinds):
                self._send(spoilt)
        while self._waiting:
            follower = self._waiting.pop()
            self.send_whole(follower)
            self._followers.add(follower)
        return frame is not None

    def _send(self, frame: Frame) -> None:
        for follower in self._followers:
            follower.push(frame)
        self.frames_sent += len(self._followers)

    def _spoil(self, frame: Frame, kinds: Collection[FaultKind]) -> list[Frame]:
        """Return what is sent in place of `frame`, in order."""
        late, self._held_back = self._held_back, None
        if FaultKind.BAD_CHECKSUM in kinds and isinstance(frame, str):
            frame = self._venue.spoil_checksum(frame)
        if FaultKind.MALFORMED in kinds:
            frame = frame[: len(frame) // 2]
        frames: list[Frame] = [frame]
        if FaultKind.GAP in kinds:
            frames = []
        elif FaultKind.DUPLICATE in kinds:
            frames = [frame, frame]
        elif FaultKind.REORDER in kinds and late is None:
            self._held_back = frame
            frames = []
        return frames if late is None else [*frames, late]
