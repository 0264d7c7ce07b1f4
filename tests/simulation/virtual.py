"""Virtual time: one schedule for all, and for each simulated process a loop and clocks of its own.

A process runs in no time at all, until it waits. It may stand still (`pause`): what is due waits
for it, as under SIGSTOP. It may end (`end`), and a successor is another process.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from heapq import heappop, heappush
from typing import Any, Final, TypeVar, TypeVarTuple, cast

__all__ = [
    "Process",
    "Schedule",
    "VirtualClock",
    "VirtualLoop",
    "current_process",
    "running_process",
]

START_NS: Final = 1_700_000_000_000_000_000
LEAST_WAIT_S: Final = 1e-5
"""No timer fires at once: otherwise what waits until a time that rounding made past never ends."""
MOST_CALLBACKS_AT_ONCE: Final = 200_000

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Schedule:
    """What happens when; nothing happens but in this order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0

    def at(self, when: float, call: Callable[[], object]) -> None:
        """Call back at `when`; of equal times the first that was asked for comes first."""
        self._count += 1
        heappush(self._due, (max(when, self.now), self._count, call))

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        self.at(self.now + seconds, call)

    def run_until(self, until: float) -> None:
        due = self._due
        while due and due[0][0] <= until:
            self.now, _, call = heappop(due)
            call()
        self.now = until


class VirtualClock:
    """The schedule's time."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def now_ns(self) -> int:
        return START_NS + round(self._schedule.now * 1e9)

    def monotonic(self) -> float:
        return self._schedule.now


class Process:
    """A simulated process: a loop that runs when something happens to it, unless it stands still.

    It is its own `Clock`: the monotonic one is the schedule's, the wall clock may be set.
    """

    def __init__(
        self, name: str, schedule: Schedule, *, clock_offset_s: float = 0.0, turn_s: float = 0.0
    ) -> None:
        """`turn_s` is how long it works each time it wakes: what comes meanwhile waits."""
        self.name = name
        self.schedule = schedule
        self.alive = True
        self.paused = False
        self.clock_offset_s = clock_offset_s
        self.environ: Mapping[str, str] = {}
        """What was set where it was started."""
        self.on_failure: Callable[[BaseException], None] = lambda _: None
        """Called with what a task or callback raised and nobody took."""
        self.loop = VirtualLoop(self)
        self._ready: deque[_Handle] = deque()
        self._running = False
        self._turn_s = turn_s
        self._free_at = 0.0
        self._wakes_at: float | None = None

    def now_ns(self) -> int:
        return START_NS + round((self.schedule.now + self.clock_offset_s) * 1e9)

    def monotonic(self) -> float:
        return self.schedule.now

    def start(self, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin to run `main` as a task."""
        task = self.loop.create_task(main)
        self.run()
        return task

    def poke(self, call: Callable[[], object]) -> None:
        """Let something happen to it: `call` runs in it now, or once it moves again."""
        if self.alive:
            self._ready.append(_Handle(call, (), None))
            self.wake()

    def add(self, handle: _Handle) -> None:
        self._ready.append(handle)

    def wake(self) -> None:
        """Run now, or as soon as the last turn is over."""
        if self._wakes_at is not None or self._running:
            return
        if self.schedule.now >= self._free_at:
            self.run()
        else:
            self._wakes_at = self._free_at
            self.schedule.at(self._free_at, self._wake_up)

    def run(self) -> None:
        """Run until there is nothing to do at this moment."""
        if self._running or self.paused:
            return
        self._running = True
        self._free_at = self.schedule.now + self._turn_s
        before = events._get_running_loop()
        events._set_running_loop(cast("asyncio.AbstractEventLoop", self.loop))
        ready = self._ready
        count = 0
        try:
            while ready:
                handle = ready.popleft()
                count += 1
                assert count < MOST_CALLBACKS_AT_ONCE, f"{self.name} never rests"
                if not handle.is_cancelled:
                    try:
                        handle.run()
                    except Exception as error:  # noqa: BLE001 - told, as asyncio does
                        self.on_failure(error)
        finally:
            events._set_running_loop(before)
            self._running = False

    def _wake_up(self) -> None:
        self._wakes_at = None
        self.run()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.run()

    def end(self) -> None:
        """End it without a word; its tasks are unwound only to leave nothing behind."""
        self.alive = self.paused = False
        self.on_failure = lambda _: None
        for _ in range(5):
            tasks = [task for task in self.loop.tasks if not task.done()]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.run()
        self.loop.closed = True
        self._ready.clear()


class _Handle:
    """A callback, as asyncio knows it, with or without a time."""

    __slots__ = ("_args", "_call", "_context", "_when", "is_cancelled", "process")

    def __init__(
        self,
        call: Callable[..., object],
        args: tuple[object, ...],
        context: contextvars.Context | None,
        process: Process | None = None,
        when: float = 0.0,
    ) -> None:
        self._call = call
        self._args = args
        self._context = context
        self._when = when
        self.is_cancelled = False
        self.process = process

    def run(self) -> None:
        if self._context is None:
            self._call(*self._args)
        else:
            self._context.run(self._call, *self._args)

    def fire(self) -> None:
        process = self.process
        if not self.is_cancelled and process is not None and process.alive:
            process.add(self)
            process.wake()

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self._when


class VirtualLoop:
    """As much of an event loop as tasks, futures, timeouts and task groups use."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.tasks: set[asyncio.Task[Any]] = set()
        self.closed = False
        self._schedule = process.schedule

    def time(self) -> float:
        return self._schedule.now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> _Handle:
        handle = _Handle(callback, args, context)
        self.process.add(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> _Handle:
        return self.call_at(self._schedule.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> _Handle:
        handle = _Handle(callback, args, context, self.process, when)
        if when != math.inf:
            self._schedule.at(max(when, self._schedule.now + LEAST_WAIT_S), handle.fire)
        return handle

    def add_reader(self, fd: Any, callback: Callable[[], None]) -> None:
        """Call back as long as `fd`, which is a simulated socket itself, is readable."""

        def ring() -> None:
            callback()
            if fd.on_edge is ring and fd.readable():
                self.call_soon(ring)

        fd.on_edge = ring

    def remove_reader(self, fd: Any) -> None:
        fd.on_edge = None

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast("asyncio.AbstractEventLoop", self))

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        loop = cast("asyncio.AbstractEventLoop", self)
        task = asyncio.Task(coro, loop=loop, name=name, context=context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self.closed

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.process.on_failure(error)


def running_process() -> Process | None:
    """Return the process whose code is running, None between processes."""
    loop = events._get_running_loop()
    return cast("VirtualLoop", loop).process if loop is not None else None


def current_process() -> Process:
    """Return the process whose code is running, which there must be."""
    process = running_process()
    assert process is not None
    return process
