"""The whole system for as long as somebody wants it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from supervisor.plan import DeploymentOptions, Facts, Process, plan_services, plan_simulator
from supervisor.supervision import LogLine, Supervisor

__all__ = ["System", "running_system"]

LONGEST_FOLDER_BYTES: Final = 107 - len("/dragonfly-12345678/aggregator")


class System:
    """A system that is running: where bots connect, and what ends when something is refused."""

    def __init__(self, gateway: str, control: str | None, failed: asyncio.Future[None]) -> None:
        self.gateway = gateway
        self.control = control
        self._failed = failed

    async def until_refused(self) -> None:
        """Return never, but raise what a process was refused for."""
        await asyncio.shield(self._failed)


@asynccontextmanager
async def running_system(
    options: DeploymentOptions,
    *,
    simulated: bool,
    on_log: Callable[[str, LogLine], None],
    on_notice: Callable[[str], None],
) -> AsyncIterator[System]:
    """Run every process of `options` until the block ends; nothing is left behind.

    Raises:
        StartupError: a process cannot run as it was told to.
    """
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks: list[asyncio.Task[None]] = []

    async def start(process: Process) -> asyncio.Future[Facts]:
        ready: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(supervisor.run(process, ready))
        task.add_done_callback(lambda done: _fail(failed, done))
        tasks.append(task)
        return ready

    with _sockets(options) as folder:
        supervisor = Supervisor(on_log, on_notice, folder)
        try:
            control = None
            if simulated:
                facts = await _unless(failed, await start(plan_simulator(options)))
                control = facts["control"]
                options = _at_simulator(options, facts)
            readies = [await start(process) for process in plan_services(options, folder)]
            *_, gateway = [await _unless(failed, ready) for ready in readies]
            yield System(gateway["address"], control, failed)
        finally:
            await supervisor.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            if failed.done() and not failed.cancelled():
                failed.exception()


@contextmanager
def _sockets(options: DeploymentOptions) -> Iterator[Path | None]:
    """Yield the folder of the sockets that join services, None where they share a process."""
    if not options.apart:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dragonfly-", dir=_short_folder()) as folder:
        yield Path(folder)


def _short_folder() -> str:
    """Return where sockets can be: the path of one may have 107 bytes, some TMPDIR alone has."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) <= LONGEST_FOLDER_BYTES:
        return folder
    return "/tmp"  # noqa: S108 - a folder of a random name, for its owner only, is made in it


def _at_simulator(options: DeploymentOptions, facts: Facts) -> DeploymentOptions:
    venues = facts["venues"]
    return replace(
        options,
        ws_urls={venue: at["ws"] for venue, at in venues.items()},
        rest_urls={venue: at["rest"] for venue, at in venues.items()},
    )


def _fail(failed: asyncio.Future[None], done: asyncio.Task[None]) -> None:
    error = None if done.cancelled() else done.exception()
    if error and not failed.done():
        failed.set_exception(error)


async def _unless(failed: asyncio.Future[None], ready: asyncio.Future[Facts]) -> Facts:
    """Return what `ready` gets, or raise what failed before."""
    first: tuple[asyncio.Future[Any], ...] = (failed, ready)
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        failed.result()
    return ready.result()
