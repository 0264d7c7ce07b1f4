"""Plays recordings: each book from its first subscriber on, at recorded speed or a multiple.

Books begin when they are wanted, not together: a listener subscribes them one by one, and none of
their states should be over before anybody listens. A recording that ended leaves its last state
standing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial

import structlog

from venue_simulator.exchange import Exchange, TradedBook
from venue_simulator.rebuilding import RecordedState, Recording

__all__ = ["RecordedDriver"]

logger = structlog.get_logger()


class RecordedDriver:
    """Lists what was recorded; each book stands in its first state until somebody subscribes."""

    def __init__(
        self, exchanges: Mapping[str, Exchange], recordings: Iterable[Recording], speed: float
    ) -> None:
        self._playbacks: dict[tuple[str, str], _Playback] = {}
        self._running: Counter[str] = Counter()
        for recording in recordings:
            exchange = exchanges.get(recording.venue)
            if exchange is not None:
                ended = partial(self._end, recording.venue)
                self._playbacks[recording.venue, recording.instrument] = _Playback(
                    exchange, recording, speed, ended
                )
        for name, exchange in exchanges.items():
            exchange.want = partial(self._want, name)

    def start(self) -> None:
        """Make each first state the truth."""
        for playback in self._playbacks.values():
            playback.play_one()

    def step(self) -> None:
        """Play the next state of every book."""
        for playback in self._playbacks.values():
            playback.play_one()

    def close(self) -> None:
        for playback in self._playbacks.values():
            playback.stop()

    def _want(self, venue: str, instrument: str) -> None:
        if self._playbacks[venue, instrument].start():
            self._running[venue] += 1

    def _end(self, venue: str) -> None:
        self._running[venue] -= 1
        if not self._running[venue]:
            logger.info("recording finished", venue=venue)


class _Playback:
    """One book's recording."""

    def __init__(
        self, exchange: Exchange, recording: Recording, speed: float, ended: partial[None]
    ) -> None:
        self._exchange = exchange
        self._speed = speed
        self._ended = ended
        self._states = recording.states
        self._next = 0
        self._started_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        first = recording.states[0]
        listing = exchange.venue.list_recorded(
            recording.instrument, recording.symbol, (*first.bids, *first.asks)
        )
        self._book: TradedBook = exchange.add(listing)

    def start(self) -> bool:
        """Play on from now; return False where it does already."""
        if self._started_at is not None:
            return False
        self._started_at = asyncio.get_running_loop().time() - self._offset_s(self._next - 1)
        self._schedule()
        return True

    def play_one(self) -> None:
        """Make the next state the truth, if there is one."""
        if self._next < len(self._states):
            state: RecordedState = self._states[self._next]
            self._next += 1
            self._exchange.advance(self._book, state.bids, state.asks, state.venue_seq)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self.play_one()
        self._schedule()

    def _schedule(self) -> None:
        assert self._started_at is not None
        loop = asyncio.get_running_loop()
        if self._next < len(self._states):
            due = self._started_at + self._offset_s(self._next)
            self._timer = loop.call_at(due, self._tick)
        else:
            self._timer = loop.call_later(0, self._ended)

    def _offset_s(self, index: int) -> float:
        return self._states[index].offset_s / self._speed
