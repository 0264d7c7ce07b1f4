"""Services that share a process: one beat, one end."""

from __future__ import annotations

import asyncio

import pytest
from dragonfly_common.one_process import _run
from dragonfly_common.runtime import Gathered, Runtime, RuntimeOptions
from patience import PATIENCE_S

QUIET = RuntimeOptions(log_level="error")


class Process(Runtime):
    """Counts its beats; breaks at the one numbered `breaks_at`."""

    def __init__(self, breaks_at: int = 0) -> None:
        super().__init__("together", QUIET)
        self.beats = 0
        self.beaten = asyncio.Event()
        self._breaks_at = breaks_at

    def beat(self) -> None:
        self.beats += 1
        self.beaten.set()
        if self.beats == self._breaks_at:
            raise ValueError("cannot beat")


async def rest(runtime: Runtime) -> None:
    await asyncio.Event().wait()


async def test_the_process_beats_though_no_service_turns() -> None:
    process = Process()
    running = asyncio.ensure_future(_run(process, [Gathered("idle", QUIET, rest)]))
    for _ in range(2):
        await asyncio.wait_for(process.beaten.wait(), PATIENCE_S)
        process.beaten.clear()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_it_ends_when_its_services_have() -> None:
    async def end(runtime: Runtime) -> None:
        runtime.beat()  # which is the process's affair
        await asyncio.sleep(0)

    process = Process()
    await asyncio.wait_for(_run(process, [Gathered("brief", QUIET, end)] * 2), PATIENCE_S)
    assert process.beats == 1


async def test_a_beat_that_fails_is_told_and_ends_the_services() -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await asyncio.wait_for(
            _run(Process(breaks_at=1), [Gathered("idle", QUIET, rest)]), PATIENCE_S
        )
    (reason,) = ended.value.exceptions
    assert str(reason) == "cannot beat"
