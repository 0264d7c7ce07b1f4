from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing
from typing import NoReturn

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_common.topics import ViewKind
from dragonfly_views.accounts import Caller
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.relay import ViewKey
from dragonfly_views.tokens import Quota
from dragonfly_views.views import PAUSE_S
from grpc import StatusCode
from grpc_gateway import counters
from grpc_gateway.ack_window import AckWindow
from grpc_gateway.streams import STALLED_AFTER_S, BotStream, Streams
from view_world import a_view, make_caller, make_views

KEY = ViewKey(ViewKind.BOOK, "ETH-BTC")
STOPPING = CallRefusedError(RefusalCode.UNAVAILABLE, "stopping")


def make_streams(*, total: int = 3) -> tuple[Streams, ManualClock]:
    clock = ManualClock()
    return Streams(total, clock, lambda: True), clock


async def test_limits_hold_per_client_and_in_total_and_places_are_given_back() -> None:
    streams, _ = make_streams()
    a, b, c = (make_caller(quota=Quota(streams=2)) for _ in "abc")
    with ExitStack() as opened:
        for caller in (a, a, b):
            opened.enter_context(streams.open(caller))
        with pytest.raises(CallRefusedError, match="3 streams are open at this gateway"):
            streams.open(c).__enter__()
        assert len(streams) == 3
    assert len(streams) == 0
    with streams.open(a), streams.open(a):
        with pytest.raises(CallRefusedError, match="2 streams are open on this connection"):
            streams.open(a).__enter__()
        with streams.open(b):
            pass


async def test_the_streams_of_some_callers_can_be_ended() -> None:
    streams, _ = make_streams()
    gone = make_caller("gone")

    async def serve(caller: Caller) -> None:
        with streams.open(caller):
            await asyncio.Event().wait()

    ended, kept = (asyncio.create_task(serve(caller)) for caller in (gone, make_caller("kept")))
    await asyncio.sleep(0)
    streams.end_of(lambda caller: caller is gone, STOPPING)
    with pytest.raises(CallRefusedError, match="stopping"):
        await ended
    assert len(streams) == 1
    kept.cancel()
    with pytest.raises(asyncio.CancelledError):
        await kept


async def test_mail_wakes_its_stream() -> None:
    streams, _ = make_streams()
    with streams.open(make_caller()) as stream:
        waiting = asyncio.create_task(stream.woken())
        await asyncio.sleep(0)
        assert not waiting.done()
        stream.mailbox.put(KEY, a_view(b""))
        await waiting


async def test_mail_from_before_a_pause_is_not_sent_until_the_bus_was_looked_at() -> None:
    clock = ManualClock()
    views = make_views(clock)
    streams = Streams(3, clock, views.current)
    with closing(views), streams.open(make_caller()) as stream:
        stream.mailbox.put(KEY, a_view(b"old"))
        await stream.woken()
        clock.advance(PAUSE_S)
        assert stream.take() is None
        waiting = asyncio.create_task(stream.woken())
        await asyncio.sleep(0)
        stream.mailbox.put(KEY, a_view(b"new"))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert views.drain()
        streams.wake()
        await waiting
        mail = stream.take()
        assert mail is not None
        assert mail.state.at(1, 0) == b"new"


async def test_ending_interrupts_whatever_the_stream_waits_for() -> None:
    streams, _ = make_streams()

    async def serve() -> None:
        with streams.open(make_caller()):
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    streams.end_all(STOPPING)
    with pytest.raises(CallRefusedError) as error:
        await serving
    assert error.value is STOPPING
    assert len(streams) == 0
    with pytest.raises(CallRefusedError, match="stopping"):
        streams.open(make_caller()).__enter__()


class Writing:
    """Stands for a call: a write that takes until it is let through."""

    def __init__(self) -> None:
        self.through = asyncio.Event()
        self.written: list[bytes] = []

    def peer(self) -> str:
        return "a"

    def invocation_metadata(self) -> None: ...

    def time_remaining(self) -> None: ...

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    async def read(self) -> None: ...

    async def write(self, message: bytes) -> None:
        await self.through.wait()
        self.written.append(message)

    async def abort(self, code: StatusCode, details: str) -> NoReturn:
        raise AssertionError(f"{code}: {details}")


@pytest.mark.parametrize("gets_through", [True, False])
async def test_a_write_on_its_way_is_cut_only_if_it_does_not_get_through(
    gets_through: bool,
) -> None:
    streams, clock = make_streams()
    writing = Writing()

    async def serve() -> None:
        with streams.open(make_caller()) as stream:
            async with asyncio.TaskGroup():  # as a session does, which would wrap an error
                await stream.write(writing, b"last words", clock.monotonic())
                raise AssertionError("the stream went on")

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    streams.end_all(STOPPING)
    if gets_through:
        writing.through.set()
    with pytest.raises(CallRefusedError, match="stopping"):
        await serving
    assert writing.written == ([b"last words"] if gets_through else [])


async def test_a_bot_that_leaves_is_a_cancellation_and_stays_one() -> None:
    streams, _ = make_streams()

    async def serve() -> None:
        with streams.open(make_caller()):
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert len(streams) == 0


async def test_a_bot_that_leaves_while_its_stream_is_ended_is_a_cancellation() -> None:
    streams, _ = make_streams()

    async def serve() -> None:
        with streams.open(make_caller()):
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    streams.end_all(STOPPING)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_only_the_first_reason_ends_a_stream() -> None:
    task = asyncio.create_task(_end_twice())
    with pytest.raises(CallRefusedError, match="stopping"):
        await task


async def _end_twice() -> None:
    stream = BotStream(make_caller())
    with stream.ending():
        stream.end(STOPPING)
        stream.end(CallRefusedError(RefusalCode.STALLED, "another"))
        await asyncio.Event().wait()


async def test_a_bot_that_does_not_acknowledge_is_found_by_looking() -> None:
    streams, clock = make_streams()

    async def serve() -> None:
        with streams.open(make_caller()) as stream:
            stream.window = AckWindow(4, limit_s=2.0)
            stream.window.acknowledge(0, clock.monotonic())
            stream.window.number_next(clock.monotonic())
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    clock.advance(2.0)
    streams.look()
    await asyncio.sleep(0)
    assert not serving.done()
    clock.advance(0.1)
    streams.look()
    with pytest.raises(CallRefusedError, match="no update was acknowledged for 2 s") as error:
        await serving
    assert error.value.code is RefusalCode.STALLED


async def test_a_stall_is_told_once_per_episode() -> None:
    streams, clock = make_streams()
    before = counters.BOTS_STALLED._value.get()
    with streams.open(make_caller()) as stream:
        for _ in range(2):
            stream.writing_since = clock.monotonic()
            clock.advance(STALLED_AFTER_S + 0.1)
            streams.look()
            streams.look()
            assert stream.stalled
            stream.writing_since = None
            streams.look()
            assert not stream.stalled
    assert counters.BOTS_STALLED._value.get() == before + 2
