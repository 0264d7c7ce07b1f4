"""Event loops as gRPC's poller may see them: several in a process, each ending when it likes.

gRPC for asyncio has one poller per process. Whichever loop is awake takes what the poller has, for
the other loops as well, and calls them by a pointer that it does not own. So a loop that has ended
makes the next one log "Event loop is closed", two loops in two threads log BlockingIOError, and a
loop that ends with its last stream leaves tasks of gRPC's behind. gRPC is given a `PolledLoop`
instead, which is its loop in all else.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from asyncio.events import _get_running_loop, _set_running_loop
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["Tasks", "noting_tasks", "polled_loop", "settle"]

Tasks = set["asyncio.Task[Any]"]

SETTLE_S: Final = 1.0
"""How long a call that was cut may take to come to rest; it takes less than a millisecond."""

_noted: ContextVar[Tasks | None] = ContextVar("dragonfly_client_grpc_tasks", default=None)


class PolledLoop:
    """A running loop, and after its end one that hears nothing more.

    It equals its loop, so that gRPC has one reader of its poller in each.
    """

    __slots__ = ("_hash", "_loop", "create_future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._hash = hash(loop)
        self.create_future = loop.create_future  # for each message: no detour

    def __eq__(self, other: object) -> bool:
        return other is self or (other is self._loop and other is not None)

    def __hash__(self) -> int:
        return self._hash

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    @property
    def ended(self) -> bool:
        return self._loop is None or self._loop.is_closed()

    def let_go(self) -> None:
        """Keep nothing of a loop that has ended; gRPC may still hold the pointer to this object."""
        self._loop = None
        del self.create_future

    def create_task(self, coroutine: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        assert self._loop is not None
        task = self._loop.create_task(coroutine, **options)
        noted = _noted.get()
        if noted is not None:
            noted.add(task)
            task.add_done_callback(noted.discard)
        return task

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> None:
        """Do what another loop took from the poller, unless this one has ended meanwhile."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if _get_running_loop() is loop:
            callback(*args)
            return
        with contextlib.suppress(RuntimeError):  # it ends at this very moment
            loop.call_soon_threadsafe(callback, *args)

    def add_reader(self, file: Any, callback: Callable[[], object]) -> None:
        def read() -> None:
            with contextlib.suppress(BlockingIOError):  # a loop in another thread was quicker
                callback()

        assert self._loop is not None
        self._loop.add_reader(file, read)

    def remove_reader(self, file: Any) -> None:
        if not self.ended:
            assert self._loop is not None
            self._loop.remove_reader(file)


_lock: Final = threading.Lock()
_running: Final[dict[asyncio.AbstractEventLoop, PolledLoop]] = {}
_ended: Final[list[PolledLoop]] = []
"""Kept for good, 56 bytes each, because gRPC counts no reference to the loop of an event."""


@contextlib.contextmanager
def polled_loop() -> Iterator[None]:
    """Let a channel that is made within take the running loop for a `PolledLoop`."""
    loop = asyncio.get_running_loop()
    with _lock:
        for one in [one for one in _running if one.is_closed()]:
            polled = _running.pop(one)
            polled.let_go()
            _ended.append(polled)
        polled = _running.setdefault(loop, PolledLoop(loop))
    _set_running_loop(polled)  # type: ignore[arg-type]  # all that gRPC asks of a loop
    try:
        yield
    finally:
        _set_running_loop(loop)


@contextlib.contextmanager
def noting_tasks(tasks: Tasks) -> Iterator[None]:
    """Have `tasks` hold what gRPC still does for a call that is begun within."""
    before = _noted.set(tasks)
    try:
        yield
    finally:
        _noted.reset(before)


async def settle(tasks: Tasks) -> None:
    """Wait until gRPC has done with calls that have ended: their loop may end then."""
    if tasks:
        await asyncio.wait(tasks, timeout=SETTLE_S)
