"""Two ways to wait for the ends of the bus: a plain loop, and asyncio."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from typing import Final, Protocol
from weakref import WeakKeyDictionary

__all__ = ["End", "Waiter", "drive"]


class End(Protocol):
    """An end of the bus, or of a channel."""

    on_pending: Callable[[], None] | None
    on_sent: Callable[[], None] | None
    """Called where a send may have taken what arrived: `tick` tells of it, `fileno` no more."""

    def fileno(self) -> int | None:
        """Return the descriptor to wait on; None where `on_pending` is all there is."""
        ...

    def tick(self) -> float:
        """Do what is due by the time; return seconds until the next time."""
        ...


# ZeroMQ's file descriptor is edge-triggered; should an edge ever be missed, this wakes us anyway.
LONGEST_WAIT_S: Final = 0.25
MOST_IN_A_ROW: Final = 16
"""Turns; then the loop looks at its sockets and timers."""


class Waiter:
    """Waits in a plain loop. Measured: half an asyncio loop's cost per message."""

    def __init__(self, ends: Sequence[End]) -> None:
        self._ends = ends
        self._epoll = select.epoll()
        for number in filter(None, (end.fileno() for end in ends)):
            self._epoll.register(number, select.EPOLLIN)

    def wait(self, timeout_s: float) -> None:
        """Return when something arrived, when a timer of the bus is due, or after `timeout_s`."""
        wait_s = min(timeout_s, LONGEST_WAIT_S, *[end.tick() for end in self._ends])
        if wait_s > 0.0:
            self._epoll.poll(wait_s)


async def drive(ends: Sequence[End], on_activity: Callable[[], float | None]) -> None:
    """Call `on_activity`, which drains the ends, whenever there is something; until cancelled.

    It may return after how many seconds it is to be called again in any case.
    """
    loop = asyncio.get_running_loop()
    driver = _Driver(ends, on_activity, loop)
    numbers = [number for end in ends if (number := end.fileno()) is not None]
    for number in numbers:
        loop.add_reader(number, driver.turn)
    for end in ends:
        end.on_pending, end.on_sent = driver.turn_soon, driver.look_soon
    try:
        driver.turn()
        await driver.over
    finally:
        driver.end()
        for number in numbers:
            loop.remove_reader(number)
        for end in ends:
            end.on_pending = end.on_sent = None


class _RunQueue:
    """The turns of a loop that were called for within this process.

    One that a turn calls for follows it at once: a state goes all its way before the loop reads
    more.
    """

    def __init__(self) -> None:
        self.due: deque[_Driver] = deque()

    def take(self) -> None:
        due = self.due
        for _ in range(MOST_IN_A_ROW):
            try:
                due[0].take()
            finally:
                due.popleft()
            if not due:
                return
        due[0].loop.call_soon(self.take)


_run_queues: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _RunQueue]] = WeakKeyDictionary()


class _Driver:
    """Takes turns in the loop's callbacks: a task would cost a message two rounds of the loop."""

    def __init__(
        self,
        ends: Sequence[End],
        on_activity: Callable[[], float | None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.over: asyncio.Future[None] = loop.create_future()
        self._ends = ends
        self._on_activity = on_activity
        self.loop = loop
        self._queue = _run_queues.setdefault(loop, _RunQueue())
        # Who publishes within this process calls for the turn, and must not be named in its log.
        self._context = copy_context()
        self.take: Callable[[], None] = partial(self._context.run, self.turn)
        self._soon = self._looks = False
        self._next: asyncio.TimerHandle | None = None
        self._next_at = 0.0

    def turn(self) -> None:
        if self.over.done():
            return
        self._soon = False
        self._looks = True  # at the ends, below
        try:
            wait_s = self._on_activity()
            due_s = LONGEST_WAIT_S if wait_s is None else min(wait_s, LONGEST_WAIT_S)
            for end in self._ends:
                due_s = min(due_s, end.tick())
        except Exception as error:  # noqa: BLE001 - raised where `over` is awaited
            self.over.set_exception(error)
            return
        self._looks = False
        at = self.loop.time() + max(0.0, due_s)
        if self._next is None or at < self._next_at:  # most turns leave the timer as it is
            self._turn_by(at)

    def turn_soon(self) -> None:
        if not self._soon:
            self._soon = True
            due = self._queue.due
            due.append(self)
            if len(due) == 1:
                self.loop.call_soon(self._queue.take)

    def look_soon(self) -> None:
        """Take a turn after all that the loop does now, if there is something to drain then."""
        if not self._looks:
            self._looks = True
            self.loop.call_soon(self._look, context=self._context)

    def _look(self) -> None:
        self._looks = False
        if self.over.done():
            return
        for end in self._ends:
            if end.tick() <= 0.0:
                self.turn()
                return

    def end(self) -> None:
        self.over.cancel()
        if self._next is not None:
            self._next.cancel()

    def _turn_by(self, at: float) -> None:
        """Take a turn then at the latest."""
        if self._next is not None:
            self._next.cancel()
        self._next_at = at
        self._next = self.loop.call_at(at, self._turn_in_time, context=self._context)

    def _turn_in_time(self) -> None:
        self._next = None
        self.turn()
