"""Symbols spread over lanes, as many on one as the venue allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import structlog
from dragonfly_venues.transport import UnresponsiveError

from feed_listener.lane import Lane, Road
from feed_listener.session import Session

__all__ = ["Lanes"]

IDLE_S: Final = 30.0
"""A lane without symbols is kept so long: bots come back."""

logger = structlog.get_logger()


class Lanes:
    """All connections to one venue."""

    def __init__(self, road: Road, group: asyncio.TaskGroup) -> None:
        """Run the lanes in `group`, each a task."""
        self._road = road
        self._group = group
        self._capacity = road.around.venue.limits.streams_per_connection
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._idle_since: dict[Lane, float] = {}
        self._lane_of: dict[str, Lane] = {}

    @property
    def connections(self) -> int:
        return sum(lane.connections for lane in self._tasks)

    def sessions(self) -> Iterator[Session]:
        """Yield the connections that are open."""
        for lane in self._tasks:
            yield from lane.sessions

    def add(self, symbol: str) -> None:
        """Listen to `symbol`, on the first lane that has room."""
        if symbol in self._lane_of:
            return
        room = (lane for lane in self._tasks if len(lane.symbols) < self._capacity)
        lane = next(room, None) or self._build()
        self._idle_since.pop(lane, None)
        self._lane_of[symbol] = lane
        lane.add(symbol)

    def remove(self, symbol: str) -> None:
        """Listen to `symbol` no more."""
        lane = self._lane_of.pop(symbol, None)
        if lane is None:
            return
        lane.remove(symbol)
        if not lane.symbols:
            self._idle_since[lane] = self._road.around.clock.monotonic()

    def distrust(self, error: UnresponsiveError) -> None:
        """Drop every connection and open new ones."""
        for lane in self._tasks:
            lane.distrust(error)

    def sweep(self, now: float) -> None:
        """End the lanes that have had no symbol for a while."""
        idle = [lane for lane, since in self._idle_since.items() if now - since >= IDLE_S]
        for lane in idle:
            del self._idle_since[lane]
            self._tasks.pop(lane).cancel()

    def _build(self) -> Lane:
        lane = Lane(self._road)
        self._tasks[lane] = self._group.create_task(lane.run())
        return lane
