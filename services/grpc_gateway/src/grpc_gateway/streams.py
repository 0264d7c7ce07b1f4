"""The open streams: who may open one, what waits in it, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from dragonfly_common.clock import Clock
from dragonfly_views.accounts import Caller
from dragonfly_views.mailbox import Mail, Mailbox
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.relay import Reader, ViewKey
from dragonfly_views.wire import SharedView

from grpc_gateway import counters
from grpc_gateway.ack_window import AckWindow
from grpc_gateway.context import Context

__all__ = ["BotStream", "Streams"]

STALLED_AFTER_S: Final = 1.0
CUT_WRITE_AFTER_S: Final = 0.2
REMEDY: Final = "end one, or follow many instruments in one Session"

logger = structlog.get_logger()


class BotStream:
    """One bot's stream. It belongs to the task that opened it."""

    def __init__(self, caller: Caller, current: Callable[[], bool] = lambda: True) -> None:
        """`current` says whether what waits is what the bus said last."""
        task = asyncio.current_task()
        assert task is not None
        self.caller = caller
        self.mailbox: Reader = Mailbox(self.wake)
        self.window: AckWindow | None = None
        """Set by a session, whose bot must acknowledge in time."""
        self.writing_since: float | None = None
        self.stalled = False
        self._current = current
        self._task = task
        self._news = False
        self._waiting: asyncio.Future[None] | None = None
        self._ending: CallRefusedError | None = None
        self._cutting: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Let `woken` return."""
        self._news = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def woken(self) -> None:
        """Wait until there may be something to send."""
        if not self._news:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self._news = False

    def take(self) -> Mail[ViewKey, SharedView] | None:
        """Take from the mailbox what may be sent now.

        A process that stood still looks at the bus first: what waits is as old as its pause.
        """
        if not self.mailbox.waiting or not self._current():
            return None
        return self.mailbox.take()

    async def write(self, context: Context, payload: bytes, now: float) -> None:
        """Send a message; waits while the transport is full because the bot does not read."""
        self.writing_since = now
        await context.write(payload)
        self.writing_since = None
        counters.UPDATES_SENT.count += 1
        if self._ending is not None:
            self._task.cancel()  # `end` left it to this write to get through first
            await asyncio.sleep(0)

    def end(self, error: CallRefusedError) -> None:
        """End the stream with `error`, even where it waits for a bot that does not read."""
        if self._ending is not None:
            return
        self._ending = error
        if self.writing_since is None:
            self._task.cancel()
        else:
            # A write on its way must not be cancelled: gRPC could send no status after it. It ends
            # the stream itself, unless it does not get through.
            loop = asyncio.get_running_loop()
            self._cutting = loop.call_later(CUT_WRITE_AFTER_S, self._task.cancel)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Turn the cancellation by which `end` works into its error."""
        try:
            yield
        except asyncio.CancelledError:
            if self._ending is None or self._task.uncancel() > 0:
                raise  # the bot left, or the server aborts the call
            raise self._ending from None
        finally:
            if self._cutting is not None:
                self._cutting.cancel()


class Streams:
    """All open streams, within the limits."""

    def __init__(self, total: int, clock: Clock, current: Callable[[], bool]) -> None:
        """At most `total` at a time; `current` says whether what waits may be sent."""
        self._total = total
        self._clock = clock
        self._current = current
        self._open: set[BotStream] = set()
        self._closing: CallRefusedError | None = None

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def open(self, caller: Caller) -> Iterator[BotStream]:
        """Open a stream of this task for `caller`.

        Raises:
            CallRefusedError: a limit is reached, or the stream was ended.
        """
        self._admit()
        with caller.account.stream(caller.peer, REMEDY):
            stream = BotStream(caller, self._current)
            self._open.add(stream)
            counters.STREAMS.inc()
            try:
                with stream.ending():
                    yield stream
            finally:
                self._open.discard(stream)
                counters.STREAMS.dec()

    def end_all(self, error: CallRefusedError) -> None:
        """End every stream, and open none any more."""
        self._closing = error
        for stream in self._open:
            stream.end(error)

    def end_of(self, revoked: Callable[[Caller], bool], error: CallRefusedError) -> None:
        """End every stream whose caller is `revoked`."""
        for stream in self._open:
            if revoked(stream.caller):
                stream.end(error)

    def wake(self) -> None:
        """Let every stream look for what may be sent now."""
        for stream in self._open:
            stream.wake()

    def look(self) -> None:
        """Notice bots that stopped reading or acknowledging. Call it several times a second."""
        now = self._clock.monotonic()
        for stream in self._open:
            if stream.window is not None and stream.window.overdue(now):
                stream.end(_unacknowledged(stream.window))
            since = stream.writing_since
            if (since is not None and now - since > STALLED_AFTER_S) != stream.stalled:
                self._note_stall(stream)

    def _note_stall(self, stream: BotStream) -> None:
        stream.stalled = not stream.stalled
        if stream.stalled:
            counters.BOTS_STALLED.inc()
            logger.warning("bot stalled", client=str(stream.caller))
        else:
            logger.info("bot reads again", client=str(stream.caller))

    def _admit(self) -> None:
        if self._closing is not None:
            raise self._closing
        if len(self._open) >= self._total:
            raise CallRefusedError(
                RefusalCode.OVER_LIMIT,
                f"{self._total} streams are open at this gateway, which is the limit:"
                " try another gateway, or later",
            )


def _unacknowledged(window: AckWindow) -> CallRefusedError:
    return CallRefusedError(
        RefusalCode.STALLED,
        f"no update was acknowledged for {window.limit_s:g} s while some were in flight:"
        " acknowledge faster, or open the session anew",
    )
